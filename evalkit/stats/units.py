"""Samples gathered into the units that are drawn: the prompts (clusters) where there are some, else the samples themselves.

A mean over samples is a ratio of two sums over units, numerator and sample count; its influence function gives every
unit's share of the sampling error (Miller 2024, arXiv:2411.00640, section 2.2, for clustered standard errors).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Units:
    """Sums over units: `top` of the values and `bottom` of the sample counts, both [units]; `clustered` says what they are."""

    top: Array
    bottom: Array
    clustered: bool

    @property
    def count(self) -> int:
        """Number of units."""
        return len(self.top)

    @property
    def word(self) -> str:
        """What a unit is, in the plural."""
        return "clusters" if self.clustered else "samples"

    @cached_property
    def mean(self) -> float:
        """Mean over samples; nan where there are none."""
        weight = float(self.bottom.sum())
        return float(self.top.sum()) / weight if weight else math.nan

    @cached_property
    def influence(self) -> Array:
        """Each unit's influence on the mean [units]; they sum to zero, and their variance over the count is the mean's."""
        shares: Array = (self.top - self.mean * self.bottom) / self.bottom.mean()
        return shares

    @property
    def rates(self) -> Array:
        """The mean of each unit [units]; nan where it has no samples."""
        found: Array = np.divide(self.top, self.bottom, out=np.full(self.count, math.nan), where=self.bottom != 0)
        return found

    @property
    def skewness(self) -> float:
        """Skewness of the sampling distribution of the mean: that of the units over the root of their count."""
        influence = self.influence
        squares = influence * influence
        spread = float(squares.mean())
        # a product, since powers of an array take twenty times as long
        return 0.0 if spread == 0 else float((squares * influence).mean()) / spread**1.5 / math.sqrt(self.count)

    @property
    def standard_error(self) -> float:
        """Standard error of the mean, nan for fewer than two units."""
        if self.count < 2:
            return math.nan
        return float(self.influence.std(ddof=1)) / math.sqrt(self.count)


def units_of(values: npt.ArrayLike, clusters: npt.ArrayLike | None = None) -> Units:
    """The units of `values` [n]: one each sample, or one each distinct entry of `clusters` [n]; nan values are left out.

    Raises `EvalkitError` where the lengths differ.

    >>> units_of([1, 2, 3, 6], ["a", "a", "b", "b"]).top
    array([3., 9.])
    """
    array = np.asarray(values, np.float64).ravel()
    return ratio_units(array, np.ones(len(array)), clusters)


def ratio_units(numerators: npt.ArrayLike, denominators: npt.ArrayLike, clusters: npt.ArrayLike | None = None) -> Units:
    """The units of a ratio of sums [n]; samples whose numerator is nan are left out. Raises where the lengths differ."""
    top, bottom = np.asarray(numerators, np.float64).ravel(), np.asarray(denominators, np.float64).ravel()
    if len(top) != len(bottom):
        raise EvalkitError(f"one value for each sample is expected; {len(top)} and {len(bottom)} were given")
    keep = ~np.isnan(top)
    if clusters is None:
        return Units(top[keep], bottom[keep], False)
    groups: npt.NDArray[Any] = np.asarray(clusters).ravel()
    if len(groups) != len(top):
        raise EvalkitError(f"one cluster for each value is expected; {len(top)} values and {len(groups)} were given")
    _, which = np.unique(groups[keep], return_inverse=True)
    return Units(
        np.bincount(which, top[keep]).astype(np.float64), np.bincount(which, bottom[keep]).astype(np.float64), True
    )
