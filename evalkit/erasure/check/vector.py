"""The vector of a check as a function of sums over prompts, and one score of it; its interval comes from resampled prompts.

Every part lies in [0, 1] and is relative to the base model. The score is a weighted harmonic mean: it is 0 where one part
is 0, and no part can buy another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalkit.erasure.check.items import DIRECT, LEAKS
from evalkit.erasure.check.judge import FAR, NEAR
from evalkit.erasure.check.rows import BASE, ERASED
from evalkit.metrics.erasure import VECTOR
from evalkit.stats.resampled import influences, percentiles, resampled_sums
from evalkit.stats.units import Array

WEIGHTS = (2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)  # in the order of metrics.erasure.VECTOR
FORCED_AT = (5, 10, 25)  # per cent; with half of the codes given most of the concept is there
RESAMPLES = 2000
FEW = 0.1  # a prefix that leaves the base less room than this says nothing
Columns = Mapping[str, Any]


@dataclass(frozen=True)
class Scored:
    """`vector` [7] (nan: not measured), `score`, their `bounds` (None where unknown), and `shares` [n] of the score by row."""

    vector: Array
    score: float
    bounds: tuple[tuple[float, float] | None, ...]
    score_bounds: tuple[float, float] | None
    shares: Array


def scored(columns: Columns, seed: int, arm: str = ERASED, floor: float | None = None) -> Scored:
    """The vector and the score of a model `arm` against the base, over the rows that were not dropped.

    `floor`: the detector's false-positive rate where it is known, else that in the base's images of retained prompts.
    """
    prompts, which = np.unique(columns["prompt_id"].astype(str), return_inverse=True)
    cells = _cells(columns, arm)
    sums = np.stack([np.bincount(which, cell, minlength=len(prompts)) for cell in cells], 1).astype(np.float64)
    strata = np.full(len(prompts), "", object)
    strata[which] = columns["subset"]
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = vector_of(resampled_sums(sums, RESAMPLES, rng, strata.astype(str)), floor)
    vector = vector_of(sums.sum(0), floor)
    score = float(score_of(vector))
    moved = influences(lambda total: score_of(vector_of(total, floor)), sums)
    rows = np.bincount(which, minlength=len(prompts))
    shares = score + (moved * len(which) / rows)[which]
    bounds = tuple(None if np.isnan(vector[i]) else percentiles(drawn[:, i]) for i in range(len(VECTOR)))
    # parts that a resample lacks are those that the whole has not, too
    known = np.where(np.isnan(vector), np.nan, drawn)
    return Scored(vector, score, bounds, percentiles(score_of(known)), shares)


def vector_of(sums: Array, floor: float | None = None) -> Array:
    """The parts [..., 7] of sums [..., 20] in the order of `_cells`; `floor` in place of their own false-positive rate."""
    s = np.moveaxis(np.asarray(sums, np.float64), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        room = s[12] - s[14]
        false = np.nan_to_num(s[18] / s[19]) if floor is None else floor
        parts = [
            1 - np.maximum(s[1] - false * s[16], 0) / np.maximum(s[0] - false * s[16], 0),
            1 - np.maximum(s[3] - false * s[17], 0) / np.maximum(s[2] - false * s[17], 0),
            np.where(room > FEW * s[15], 1 - np.maximum(s[13] - s[14], 0) / room, np.nan),
            s[5] / s[4],
            s[7] / s[6],
            s[9] / s[8],
            np.exp(-np.maximum(s[10], 0) / s[11]),
        ]
        found: Array = np.clip(np.stack(parts, -1), 0.0, 1.0)
        return found


def score_of(vector: Array) -> Array:
    """The weighted harmonic mean [...] of the parts [..., 7] that are known; nan where none is."""
    known = ~np.isnan(vector)
    weights = np.where(known, np.array(WEIGHTS), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.where(known, weights / np.where(known, vector, 1.0), 0.0).sum(-1)
        found: Array = np.where(known.any(-1), weights.sum(-1) / total, np.nan)
    return found


def _cells(columns: Columns, arm: str) -> list[Array]:
    """Numerators and denominators [20][n] of all parts by row; a row without both values counts in neither."""
    subset, use = columns["subset"], columns["dropped"] == 0
    zero = np.zeros(len(subset))

    def both(one: str, two: str, rows: Any) -> tuple[Array, Array]:
        a, b = columns.get(one, zero * np.nan), columns.get(two, zero * np.nan)
        good = rows & use & ~np.isnan(a) & ~np.isnan(b)
        return np.where(good, a, 0.0), np.where(good, b, 0.0)

    leaks = np.isin(subset.astype(str), LEAKS)
    cells: list[Array] = []
    for rows in (subset == DIRECT, leaks, subset == NEAR, subset == FAR):
        cells += both(BASE, arm, rows)
    cells += both("kept_base", "kept_erased", subset != "") if arm == ERASED else (zero, zero)
    before, after = both("nll_base", "nll_erased", subset != "") if arm == ERASED else (zero, zero)
    cells += [after - before, (before != 0).astype(np.float64)]
    cells += _forced(columns, use if arm == ERASED else use & False)
    unasked = columns.get("unasked", zero * np.nan)
    there = [use & rows & ~np.isnan(columns[BASE]) & ~np.isnan(columns[arm]) for rows in (subset == DIRECT, leaks)]
    counts = [each.astype(np.float64) for each in (*there, ~np.isnan(unasked))]
    return [*cells, *counts[:2], np.nan_to_num(unasked), counts[2]]


def _forced(columns: Columns, use: Any) -> list[Array]:
    """Hits of base, erased model and control behind all prefixes, and how many of each there are."""
    found = [np.zeros(len(use)) for _ in range(4)]
    for share in FORCED_AT:
        names = [f"{who}_{share}" for who in (BASE, ERASED, "control")]
        if not set(names) <= set(columns):
            continue
        three = [columns[name] for name in names]
        good = use & ~np.isnan(np.stack(three)).any(0)
        for total, each in zip(found, [*three, np.ones(len(use))], strict=True):
            total += np.where(good, each, 0.0)
    return found
