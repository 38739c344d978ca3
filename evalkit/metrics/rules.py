"""Which estimator of a set metric is meant: splits of the Inception score, subsets of KID, balls of precision and recall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evalkit.metrics.kernels import Kernel, PolynomialKernel

CUBIC = PolynomialKernel()


@dataclass(frozen=True)
class SplitRule:
    """`chunk`: images a chunk, or None for `splits` equal parts; `shuffle`: seed of the shuffle before, None for file order."""

    splits: int = 10
    chunk: int | None = None
    shuffle: int | None = 2020


@dataclass(frozen=True)
class SubsetRule:
    """`subsets` of `size` images, drawn from `seed`; which side is `drawn` first.

    `fit`: what a set smaller than a subset does: "refuse" it, take the "whole" smaller set, or at most "half" of it
    (which leaves subsets that differ, and so an interval).
    """

    subsets: int = 100
    size: int = 1000
    fit: Literal["refuse", "whole", "half"] = "refuse"
    drawn: Literal["images first", "reference first"] = "images first"
    seed: int = 2020
    kernel: Kernel = CUBIC


@dataclass(frozen=True)
class BallRule:
    """`k`: the radius is the distance to the k-th nearest other image; `closed`: whether a ball holds its border."""

    k: int = 3
    closed: bool = True
