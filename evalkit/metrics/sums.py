"""A set's number as a function of sums over its samples: what paired comparisons need of it.

A mean is a ratio of two sums, with weights of one. A corpus rate (edits over characters) has lengths as weights. A PSNR
of the pooled error is a function of a mean. Each has an influence for every sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Columns(Protocol):
    """The columns of samples.parquet, by name; None where a run has no such column."""

    def numbers(self, name: str) -> Array | None:
        """float64 [n], nan where a sample has no value."""

    def counted(self, name: str, unit: Callable[[str], float]) -> Array | None:
        """float64 [n] of `unit` of each text of a column, nan where a sample has none."""


@dataclass(frozen=True)
class Sums:
    """f(sum of `values` over sum of `weights`), both [n] with nan where a sample has none; no weights: their count.

    `value` is what that comes to on the rows that were asked for, `gradient` the derivative of f there. `own` [n] is what
    each sample measured, where `values` are moved so that their mean is the number.
    """

    values: Array
    weights: Array | None
    gradient: float
    value: float
    own: Array | None = None


Ways = Callable[[str, Columns, Mask], Iterator[Sums]]


@dataclass(frozen=True)
class BySample:
    """The `ways` in which a metric's number can come from the rows of a mask, and the columns that they `read` besides."""

    ways: Ways
    read: tuple[str, ...] = ()


def own_mean(metric: str, columns: Columns, rows: Mask) -> Iterator[Sums]:
    """The mean of the metric's own column; where some values are infinite (exact images), that of the others.

    An exact image then counts as the mean of the others, and each of those n / k times its distance from it, k of n being
    finite: so the error is that of k values, and no value decides what may be compared.
    """
    values = columns.numbers(metric)
    if values is None:
        return
    keep, finite = rows & ~np.isnan(values), rows & np.isfinite(values)
    if finite.any() and not (finite == keep).all():
        mean = float(values[finite].mean())
        moved = np.where(
            finite, mean + int(keep.sum()) / int(finite.sum()) * (np.where(finite, values, mean) - mean), mean
        )
        yield Sums(np.where(keep, moved, np.nan), None, 1.0, mean, values)
    if keep.any():
        yield Sums(values, None, 1.0, float(values[keep].mean()))


OWN_MEAN = BySample(own_mean)
