"""How far two raters agree, and one with itself: Cohen's kappa, shares of equal labels, repeatability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.stats.intervals import mean_interval

Weights = Literal["none", "linear", "quadratic"]
_RESAMPLES = 2000
_PIECE = 4_000_000  # counts held at once


@dataclass(frozen=True)
class Repeatability:
    """Several replies to the same questions. `identical`: share of items with equal replies throughout. `deviation`:
    mean standard deviation within an item. `lost`: share of replies without a value.
    """

    identical: Estimate
    deviation: Estimate
    lost: float


def kappa(
    a: Sequence[object],
    b: Sequence[object],
    *,
    weights: Weights = "none",
    labels: Sequence[object] | None = None,
    clusters: Sequence[object] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Cohen's kappa of two raters' labels [n]: agreement beyond chance, 1 for equal labels, 0 for chance.

    `weights`: how much a disagreement counts, by the distance of labels in the order of `labels` (sorted by default).
    The interval is a percentile bootstrap over `clusters` (prompts) or items. Sources: Cohen 1960,
    doi:10.1177/001316446002000104, and 1968, doi:10.1037/h0026256. Raises `EvalkitError` where lengths differ.

    >>> round(kappa([1, 1, 0, 0], [1, 0, 0, 0]).value, 3)
    0.5
    """
    if len(a) != len(b) or not len(a) or (clusters is not None and len(clusters) != len(a)):
        raise EvalkitError(f"{len(a)} and {len(b)} labels were given. Give both raters' labels of the same items")
    names = list(labels) if labels is not None else sorted({*a, *b}, key=lambda each: (str(type(each)), each))
    tables, cost = _tables(_cells(a, b, names), len(names), clusters), _cost(len(names), weights)
    value = float(_kappa(tables.sum(0)[None], cost)[0])
    if math.isnan(value):
        return Estimate(value, None, None, len(a), "undefined: both raters give one and the same label", level)
    if len(tables) < 2:
        return Estimate(value, None, None, len(a), "no interval: there is one cluster", level)
    values = _kappa(_drawn(tables, clusters is not None, seed), cost)
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    units = "clusters" if clusters is not None else "items"
    said = f"percentile bootstrap over {len(tables)} {units}, {_RESAMPLES} resamples"
    return Estimate(value, float(low), float(high), len(a), said, level)


def agreement(a: Sequence[object], b: Sequence[object], *, clusters: Sequence[object] | None = None) -> Estimate:
    """The share of items on which two raters give the same label, with its interval (over `clusters` where given)."""
    if len(a) != len(b):
        raise EvalkitError(f"{len(a)} and {len(b)} labels were given. Give both raters' labels of the same items")
    return mean_interval([float(x == y) for x, y in zip(a, b, strict=True)], clusters=_coded(clusters))


def repeatability(replies: Sequence[Sequence[float | None]]) -> Repeatability:
    """How alike several replies to each item are; None is a lost one. Items with fewer than two values are left out.

    Raises `EvalkitError` where no item has two values.
    """
    kept = [[value for value in each if value is not None] for each in replies]
    kept = [values for values in kept if len(values) > 1]
    if not kept:
        raise EvalkitError("no item has two replies with a value. Ask each item several times")
    total = sum(len(each) for each in replies)
    lost = sum(value is None for each in replies for value in each)
    identical = mean_interval([float(len(set(values)) == 1) for values in kept])
    return Repeatability(
        identical,
        mean_interval([float(np.std(v, ddof=1)) for v in kept], method="mean", range=(0.0, None)),
        lost / total,
    )


def _cells(a: Sequence[object], b: Sequence[object], names: Sequence[object]) -> npt.NDArray[np.int64]:
    """Places of both labels in `names` [n, 2]."""
    place = {name: i for i, name in enumerate(names)}
    try:
        return np.array([(place[x], place[y]) for x, y in zip(a, b, strict=True)])
    except KeyError as error:
        raise EvalkitError(f"the label {error} is not among those that were listed. List all labels") from None


def _tables(cells: npt.NDArray[np.int64], size: int, clusters: Sequence[object] | None) -> npt.NDArray[np.float64]:
    """Counts of label pairs [units, size, size]."""
    units = np.arange(len(cells)) if clusters is None else np.asarray(_coded(clusters))
    tables = np.zeros((int(units.max()) + 1, size, size))
    np.add.at(tables, (units, cells[:, 0], cells[:, 1]), 1)
    return tables


def _drawn(tables: npt.NDArray[np.float64], clustered: bool, seed: int) -> npt.NDArray[np.float64]:
    """Tables of resampled units [resamples, size, size]."""
    n = len(tables)
    rng = np.random.default_rng([seed, n])
    if not clustered:  # items that were drawn with replacement: their cells are multinomial
        whole = tables.sum(0)
        return np.asarray(rng.multinomial(n, whole.ravel() / n, _RESAMPLES).reshape(-1, *whole.shape), np.float64)
    piece = max(1, _PIECE // n)
    parts = [
        np.tensordot(rng.multinomial(n, np.full(n, 1 / n), min(piece, _RESAMPLES - start)), tables, 1)
        for start in range(0, _RESAMPLES, piece)
    ]
    return np.concatenate(parts)


def _coded(clusters: Sequence[object] | None) -> list[int] | None:
    if clusters is None:
        return None
    known: dict[object, int] = {}
    return [known.setdefault(each, len(known)) for each in clusters]


def _cost(size: int, weights: Weights) -> npt.NDArray[np.float64]:
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float64)
    if weights == "none":
        return (distance > 0).astype(np.float64)
    return distance if weights == "linear" else distance**2


def _kappa(tables: npt.NDArray[np.float64], cost: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Kappa of each of the tables [n, size, size]; nan where chance alone would leave no disagreement."""
    total = tables.sum((1, 2))
    seen = (tables * cost).sum((1, 2)) / total
    chance = np.einsum("ni,nj,ij->n", tables.sum(2), tables.sum(1), cost) / total**2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(chance > 0, 1 - seen / chance, np.nan))
