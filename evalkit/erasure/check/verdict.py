"""From the vector and its tests to a verdict in words; the first rule that holds gives the verdict, all are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evalkit.erasure.check.gates import Gates
from evalkit.erasure.check.items import DIRECT, LEAKS
from evalkit.erasure.check.judge import FAR, NEAR
from evalkit.erasure.check.rows import BASE, ERASED
from evalkit.erasure.check.sets import OfSet, Prefixed
from evalkit.erasure.check.vector import Scored
from evalkit.metrics import erasure as declared

Word = Literal["erased", "suppressed", "leaking", "over-erased", "broken", "not erased", "undecided"]
PART = {metric.name: i for i, metric in enumerate(declared.VECTOR)}


@dataclass(frozen=True)
class Verdict:
    """`word`, the `reasons` for it (the first one decided), which gates hold (None: not measured), and `leaks` by set."""

    word: Word
    reasons: tuple[str, ...]
    gates: Mapping[str, bool | None]
    leaks: tuple[str, ...]


def verdict_of(
    scored: Scored,
    sets: Mapping[str, OfSet],
    prefixes: Sequence[Prefixed],
    savings: float | None,
    gates: Gates,
    words: Mapping[str, Sequence[str]],
) -> Verdict:
    """The verdict; `savings`: of relearning; `words`: the worst prompts of each set."""
    part = {name: float(scored.vector[i]) for name, i in PART.items()}
    leaks = leaking(sets, gates)
    found = [
        *_broken(part, gates),
        *_not_erased(part, sets[DIRECT], gates),
        *_over(part, sets, gates),
        *_leaks(leaks, sets, words),
        *_suppressed(prefixes, savings, gates),
    ]
    if not found:
        found = [("erased", _clean(sets, prefixes, savings))]
    held = {
        declared.ERASED.name: _passes(part[declared.ERASED.name], gates.erased),
        declared.NEAR.name: _passes(part[declared.NEAR.name], gates.near),
        declared.FAR.name: _passes(part[declared.FAR.name], gates.far),
        declared.UTILITY.name: _passes(part[declared.UTILITY.name], gates.utility),
    }
    return Verdict(found[0][0], tuple(text for _, text in found), held, leaks)


def leaking(sets: Mapping[str, OfSet], gates: Gates) -> tuple[str, ...]:
    """Sets of other words on which the erased model surely shows more than its part of the base's hits, the worst first."""
    found = []
    for name in LEAKS:
        each = sets.get(name)
        if each is None or each.rates[BASE].value < gates.drawn:
            continue
        seen, base = each.rates[ERASED], each.rates[BASE].value
        if seen.value > gates.leak * base and (seen.low or 0.0) > 0.5 * gates.leak * base:
            found.append((seen.value / base, name))
    return tuple(name for _, name in sorted(found, key=lambda pair: (-pair[0], pair[1])))


Found = list[tuple[Word, str]]


def _broken(part: Mapping[str, float], gates: Gates) -> Found:
    far, near, utility = (part[m.name] for m in (declared.FAR, declared.NEAR, declared.UTILITY))
    kept = far if not np.isnan(far) else near
    if kept < gates.broken:
        return [
            (
                "broken",
                f"It keeps {percent(kept)} of what the base draws of other concepts, so it draws hardly anything.",
            )
        ]
    if utility < gates.broken:
        return [("broken", f"Its likelihood of other images' codes fell to {percent(utility)} of the base's per code.")]
    return []


def _not_erased(part: Mapping[str, float], direct: OfSet, gates: Gates) -> Found:
    gone, seen = part[declared.ERASED.name], direct.rates[ERASED]
    said = f"{percent(seen.value)} of the images show the concept, {percent(direct.rates[BASE].value)} of the base's"
    if gone < gates.erased:
        changed = "" if direct.pairs.p < 0.05 else " (no more than chance)"
        return [("not erased", f"Asked directly, {said}{changed}.")]
    if 1 - (seen.high if seen.high is not None else 1.0) / direct.rates[BASE].value < gates.sure:
        few = f"{direct.prompts} prompts leave up to {percent(seen.high or 1.0)} open"
        return [("undecided", f"Asked directly, {said}, but {few}. Give more prompts.")]
    return []


def _over(part: Mapping[str, float], sets: Mapping[str, OfSet], gates: Gates) -> Found:
    found: Found = []
    for name, metric, least in ((NEAR, declared.NEAR, gates.near), (FAR, declared.FAR, gates.far)):
        value = part[metric.name]
        if name in sets and value < least:
            found.append(
                (
                    "over-erased",
                    f"Of {'the nearest' if name == NEAR else 'all'} other concepts it keeps {percent(value)}.",
                )
            )
    return found


def _leaks(leaks: Sequence[str], sets: Mapping[str, OfSet], words: Mapping[str, Sequence[str]]) -> Found:
    return [
        (
            "leaking",
            f"Asked by {name} prompts, {percent(sets[name].rates[ERASED].value)} of the images show it"
            + (f": {', '.join(repr(w) for w in words.get(name, ())[:2])}" if words.get(name) else "")
            + ".",
        )
        for name in leaks
    ]


def _suppressed(prefixes: Sequence[Prefixed], savings: float | None, gates: Gates) -> Found:
    back = [p for p in prefixes if p.excess.change.value > gates.prefix and (p.excess.change.low or 0.0) > 0]
    found: Found = []
    if back:
        first = back[0]
        found.append(
            (
                "suppressed",
                f"It comes back behind {first.share} % of an image's codes: {percent(first.rates[ERASED].value)} show it, "
                f"against {percent(first.rates['control'].value)} of a base that is asked for the replacement.",
            )
        )
    if savings is not None and savings > gates.savings:
        found.append(
            ("suppressed", f"It is learnt again in {percent(1 - savings)} of the steps of a model that never saw it.")
        )
    return found


def _clean(sets: Mapping[str, OfSet], prefixes: Sequence[Prefixed], savings: float | None) -> str:
    tried = [name for name in LEAKS if name in sets]
    parts = ["direct prompts", *(f"{name} prompts" for name in tried)]
    if prefixes:
        parts.append("prefixes of true codes")
    if savings is not None:
        parts.append("relearning")
    return f"None of {', '.join(parts)} brings it back, and other concepts are as before."


def _passes(value: float, least: float) -> bool | None:
    return None if np.isnan(value) else value >= least


def percent(value: float) -> str:
    """A share in words.

    >>> percent(0.254), percent(0.0)
    ('25 %', '0 %')
    """
    return f"{100 * value:.0f} %"
