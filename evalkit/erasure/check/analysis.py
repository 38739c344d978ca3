"""Everything that rows and arrays of a check come to; a pure function, which verification calls again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalkit.erasure.check.gates import Gates
from evalkit.erasure.check.items import DIRECT, LEAKS
from evalkit.erasure.check.judge import FAR, KEPT, NEAR, columns_of
from evalkit.erasure.check.probed import Probed, of_arrays, of_probe
from evalkit.erasure.check.relearn import steps_to
from evalkit.erasure.check.rows import BASE, COLLAPSE, ERASED, RANDOM
from evalkit.erasure.check.seen import Rule, unpacked
from evalkit.erasure.check.sets import (
    Attack,
    OfConcept,
    OfSet,
    Prefixed,
    Searched,
    of_attack,
    of_concepts,
    of_prefixes,
    of_search,
    of_sets,
    rate,
    worst_prompts,
)
from evalkit.erasure.check.vector import Scored, scored
from evalkit.erasure.check.verdict import Came, Verdict, verdict_of
from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.stats.corrected import Operating, rogan_gladen

Columns = Mapping[str, Any]


@dataclass(frozen=True)
class Analysis:
    """One check: `sets` by name, `prefixes`, `concepts` that must stay, the `scored` vector, controls and the verdict.

    `attack`: hits among further seeds. `searched`: hits of prompts that a search found. `probe`: scores by task.
    `unasked`: how often the base shows the concept where nobody asks for it. `operating`: of the detector, as it was told
    or by `unasked`. `went`: what the erased model draws in the concept's place, by label and share. `savings`: of
    relearning, where a never-saw model was given.
    """

    columns: Columns
    sets: Mapping[str, OfSet]
    prefixes: Sequence[Prefixed]
    attack: Sequence[Attack]
    searched: Searched | None
    probe: Sequence[Probed]
    unasked: Estimate | None
    operating: Operating
    concepts: Sequence[OfConcept]
    scored: Scored
    controls: Mapping[str, Scored]
    went: Mapping[str, float]
    savings: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Given:
    """What a check was asked for besides its rules: the seed of its resamples, and the budgets of both attacks.

    `operating`: the detector's sensitivity and specificity, where they are known.
    """

    seed: int = 0
    tries: int = 0
    search: int = 0
    operating: Operating | None = None


def analysis_of(
    rows: Sequence[Mapping[str, Any]], arrays: Mapping[str, Any], rule: Rule, gates: Gates, given: Given
) -> Analysis:
    """The analysis of judged rows; raises `EvalkitError` where no number would mean anything."""
    columns = columns_of([dict(row) for row in rows])
    for name in (BASE, ERASED):
        columns.setdefault(name, np.full(len(rows), np.nan))
    _check(columns, rows, rule, gates)
    sets = of_sets(columns, gates)
    if DIRECT not in sets or KEPT not in sets:
        lost = (
            "directly asks for the concept"
            if DIRECT not in sets
            else "must stay and names something that the detector knows"
        )
        raise EvalkitError(f"no prompt is left that {lost}. Give prompts that the base can draw")
    prefixes = of_prefixes(columns, gates)
    unasked = _unasked(columns)
    known = given.operating
    floor = None if known is None else 1 - known.specificity
    operating = known or Operating(1.0, 1.0 - (0.0 if unasked is None else unasked.value))
    if not (rogan_gladen(sets[DIRECT].rates[BASE].value, operating) or 0) > 0:
        raise EvalkitError(
            "the base shows the concept no more often than the detector sees it where nobody asks for it. Give another detector"
        )
    total = scored(columns, given.seed, floor=floor)
    searched = of_search(columns, given.search)
    savings = savings_of(arrays, sets[DIRECT].rates[BASE].value)
    words = {name: worst_prompts(columns, name) for name in (DIRECT, *LEAKS)}
    return Analysis(
        columns,
        sets,
        prefixes,
        of_attack(columns, given.tries),
        searched,
        of_arrays(arrays, gates) or of_probe(columns, gates),
        unasked,
        operating,
        of_concepts(columns),
        total,
        {
            arm: scored(columns, given.seed, arm, floor)
            for arm in (RANDOM, COLLAPSE)
            if arm in columns and not np.isnan(columns[arm]).all()
        },
        _went(rows, rule),
        savings,
        verdict_of(total, sets, Came(prefixes, savings, searched), gates, operating, words),
    )


def _unasked(columns: Columns) -> Estimate | None:
    """How often the detector sees the concept in the base's images of prompts that do not ask for it."""
    hits = columns.get("unasked")
    if hits is None or np.isnan(hits).all():
        return None
    return rate(hits, columns["prompt_id"].astype(str))


def savings_of(arrays: Mapping[str, Any], base: float) -> float | None:
    """1 - steps to half of the base's rate / steps of a model that never saw the concept; None without such a model."""
    mine, other = arrays.get("relearn_erased"), arrays.get("relearn_never_saw")
    if mine is None or other is None:
        return None
    erased, scratch = steps_to(mine, base / 2), steps_to(other, base / 2)
    if not math.isfinite(scratch):
        return None if not math.isfinite(erased) else 1.0 - erased / float(other[-1, 0] or 1.0)
    return 1 - erased / scratch if scratch > 0 and math.isfinite(erased) else 0.0


def _check(columns: Columns, rows: Sequence[Mapping[str, Any]], rule: Rule, gates: Gates) -> None:
    """Refuses a base that does not draw the concept, and a detector that sees it everywhere."""
    direct = columns["subset"] == DIRECT
    hits = columns[BASE][direct & ~np.isnan(columns[BASE])]
    if not len(hits):
        raise EvalkitError("no image of a direct prompt could be looked at. Make the images again")
    if hits.mean() < gates.drawn:
        raise EvalkitError(
            f"the base shows the concept on {int(hits.sum())} of {len(hits)} images of direct prompts, so nothing can be erased. "
            "Give prompts that it can draw, or another detector"
        )
    others = [
        unpacked(row["seen_base"]) for row in rows if row["subset"] in (NEAR, FAR) and row["seen_base"] is not None
    ]
    everywhere = [rule.shows(seen) for seen in others if seen is not None]
    if everywhere and sum(everywhere) > gates.everywhere * len(everywhere):
        raise EvalkitError(
            f"the detector sees the concept in {sum(everywhere)} of {len(everywhere)} images of prompts that do not ask for it. "
            "Give another --detector, --label or --threshold"
        )


def _went(rows: Sequence[Mapping[str, Any]], rule: Rule) -> dict[str, float]:
    """Shares of the surest label in the erased model's images of direct prompts; `nothing` where there is none."""
    counts: dict[str, int] = {}
    for row in rows:
        seen = unpacked(row[f"seen_{ERASED}"]) if row["subset"] == DIRECT and not row["dropped"] else None
        if seen is not None:
            name = "the concept" if rule.shows(seen) else seen[0].label if seen else "nothing"
            counts[name] = counts.get(name, 0) + 1
    total = max(sum(counts.values()), 1)
    return {name: n / total for name, n in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))}
