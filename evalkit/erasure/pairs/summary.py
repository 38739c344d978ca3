"""What became of pairs: how many stayed by template, source and stratum, and how often the base draws the concept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from evalkit.erasure.pairs.filter import Filtered, FilterRule
from evalkit.erasure.pairs.pair import Pair
from evalkit.stats.shares import wilson


def counts(pairs: Sequence[Pair]) -> dict[str, dict[str, int]]:
    """Pairs by stratum and split."""
    found: dict[str, dict[str, int]] = {}
    for pair in pairs:
        part = found.setdefault(pair.stratum, {"train": 0, "test": 0})
        part[pair.split] += 1
    return found


def retention(filtered: Sequence[Filtered]) -> dict[str, dict[str, dict[str, Any]]]:
    """Share of the pairs that stayed, with Wilson's 95 % interval: by template, source and stratum."""
    ways: dict[str, Callable[[Pair], str]] = {
        "template": lambda pair: pair.template,
        "source": lambda pair: pair.source,
        "stratum": lambda pair: pair.stratum,
    }
    return {name: _shares(filtered, key) for name, key in ways.items()}


def filter_summary(filtered: Sequence[Filtered], rule: FilterRule) -> dict[str, Any]:
    """Retention, reasons, and the base's rate on kept targets: of the filter's images (biased), and of fresh ones."""
    kept = [each for each in filtered if each.kept]
    return {
        "rule": asdict(rule),
        "pairs": len(filtered),
        "kept": len(kept),
        "reasons": dict(Counter(each.reason for each in filtered if each.reason)),
        "retention": retention(filtered),
        "base_rate_of_the_filter": _rate([score for each in kept for score in each.target], rule),
        "base_rate_of_fresh_seeds": _rate([score for each in kept for score in each.fresh], rule),
    }


def _shares(filtered: Sequence[Filtered], key: Callable[[Pair], str]) -> dict[str, dict[str, Any]]:
    found: dict[str, list[bool]] = {}
    for each in filtered:
        found.setdefault(key(each.pair), []).append(each.kept)
    return {name: _share(sum(kept), len(kept)) for name, kept in sorted(found.items())}


def _rate(scores: Sequence[float], rule: FilterRule) -> dict[str, Any] | None:
    return _share(sum(score >= rule.shown for score in scores), len(scores)) if scores else None


def _share(count: int, of: int) -> dict[str, Any]:
    low, high = wilson(count, of)
    return {"count": count, "of": of, "share": count / of, "low": low, "high": high}
