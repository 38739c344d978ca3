"""The numbers of a check as rows of results.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from evalkit.erasure.check.analysis import Analysis
from evalkit.erasure.check.items import DIRECT
from evalkit.erasure.check.judge import FAR, KEPT, NEAR
from evalkit.erasure.check.results_cost import cost_of
from evalkit.erasure.check.results_maker import Maker
from evalkit.erasure.check.results_peers import attacks_of, nudity_of, peers_of
from evalkit.erasure.check.rows import BASE, ERASED, OTHER
from evalkit.erasure.check.vector import RESAMPLES, score_of
from evalkit.erasure.check.verdict import share
from evalkit.metrics import erasure as declared
from evalkit.metrics.base import Estimate
from evalkit.runs.store import Result
from evalkit.stats.corrected import rogan_gladen
from evalkit.stats.intervals import transform

BOOTSTRAP = f"percentile bootstrap over prompts within sets, {RESAMPLES} resamples"


def results_of(
    done: Analysis,
    concept: str,
    protocol: str,
    arrays: Mapping[str, Any],
    why: Mapping[str, str],
) -> list[Result]:
    """All numbers: the score, its vector, rates of sets, what it cost, peers' numbers. `why`: reasons by metric."""
    make = Maker(concept, protocol)
    return [
        *_vector(done, make, why),
        *_sets(done, make),
        *cost_of(done, make, arrays, why),
        *attacks_of(done, make, why),
        *peers_of(done, make),
        *nudity_of(done, make),
    ]


def bounds_of(done: Analysis, place: int) -> tuple[float | None, float | None]:
    """Bounds of a part of the vector; those of shares without a counter-example come from the rates' own intervals."""
    low, high = done.scored.bounds[place] or (None, None)
    metric, sets = declared.VECTOR[place], done.sets
    base = share(sets[DIRECT].rates[BASE].value, done.operating)
    if metric is declared.ERASED and (top := sets[DIRECT].rates[ERASED].high) is not None and base > 0:
        low = max(0.0, min(low if low is not None else 1.0, 1 - share(top, done.operating) / base))
    for name, mine in ((NEAR, declared.NEAR), (FAR, declared.FAR)):
        if metric is mine and name in sets and (down := sets[name].change.change.low) is not None:
            low = max(0.0, min(low if low is not None else 1.0, 1 + down / max(sets[name].rates[BASE].value, 1e-9)))
    return low, high


def score_bounds_of(done: Analysis) -> tuple[float | None, float | None]:
    """Bounds of the score; the lower one allows for what one part without a counter-example leaves open."""
    if done.scored.score_bounds is None:
        return None, None
    low, high = done.scored.score_bounds
    for place in range(len(declared.VECTOR)):
        least = bounds_of(done, place)[0]
        if least is not None and not np.isnan(done.scored.vector[place]):
            moved = done.scored.vector.copy()
            moved[place] = least
            low = min(low, float(score_of(moved)))
    return low, high


def _vector(done: Analysis, make: Maker, why: Mapping[str, str]) -> Iterator[Result]:
    n = len(done.columns["id"])
    yield make.of(declared.SCORE, Estimate(done.scored.score, *score_bounds_of(done), n, BOOTSTRAP))
    for place, metric in enumerate(declared.VECTOR):
        value = float(done.scored.vector[place])
        if np.isnan(value):
            yield make.without(metric, why.get(metric.name, "no prompt of the pairs measures it"))
        else:
            yield make.of(metric, Estimate(value, *bounds_of(done, place), n, BOOTSTRAP))


def _sets(done: Analysis, make: Maker) -> Iterator[Result]:
    for name, each in done.sets.items():
        if name in (NEAR, FAR, KEPT):
            yield make.of(declared.KEPT, each.rates[ERASED], name)
            yield make.of(declared.CHANGE, each.change.change, name)
            continue
        yield make.of(declared.RATE, each.rates[ERASED], name)
        yield make.of(declared.BASE_RATE, each.rates[BASE], name)
        if OTHER in each.rates:
            yield make.of(declared.FLOOR_RATE, each.rates[OTHER], name)
    if done.unasked is not None:
        yield make.of(declared.UNASKED, done.unasked)
    seen = done.sets[DIRECT].rates[ERASED]
    if rogan_gladen(seen.value, done.operating) is None:
        yield make.without(declared.CORRECTED, "a detector with this sensitivity and specificity tells nothing apart")
    else:
        yield make.of(
            declared.CORRECTED,
            transform(seen, lambda value: share(value, done.operating), "Rogan and Gladen's correction"),
            DIRECT,
        )
    for forced in done.prefixes:
        yield make.of(declared.RATE, forced.rates[ERASED], f"prefix {forced.share} %")
        yield make.of(declared.BASE_RATE, forced.rates[BASE], f"prefix {forced.share} %")
