"""Verdicts over a folder: near-duplicates are one hypothesis, Benjamini-Hochberg over hypotheses, four words per image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.stats.multiplicity import benjamini_hochberg

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
DETECTED, NOT_DETECTED, INCONCLUSIVE, ERROR = "detected", "not detected", "inconclusive", "error"
VERDICTS = (DETECTED, NOT_DETECTED, INCONCLUSIVE, ERROR)
Decide = Literal["exact", "calibrated", "larger", "decoys"]
EXACT = 1e-12  # relative; a p that lies on the line is below it, whatever its logarithm was rounded to
DEEPEST = -690.0  # log p of which the exponential is still a normal float


@dataclass(frozen=True)
class Rule:
    """Which images count as detected.

    With `alpha` alone those whose p is at most alpha: of n images without the mark alpha * n are expected to be. With
    `fdr` those that Benjamini-Hochberg calls over the folder at this rate. `decide`: by the exact p, by the calibrated
    one, by the larger of both, or by the rank among decoy keys.
    """

    alpha: float = 1e-3
    fdr: float | None = None
    decide: Decide = "exact"

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise EvalkitError(f"alpha lies between 0 and 1; {self.alpha} given, type --alpha 1e-3, for example")
        if self.fdr is not None and not 0 < self.fdr < 1:
            raise EvalkitError(f"a false discovery rate lies between 0 and 1; {self.fdr} given, type --fdr 0.01")


@dataclass(frozen=True)
class Judged:
    """For each image its q-value and its verdict; `hypotheses` how many groups were tested, `cuts` the log p at and below
    which each image is detected.

    `q` is the least false discovery rate at which this very image is called: that of its group for the version that
    decides over the group, a larger one for the others.
    """

    q: Floats
    verdict: npt.NDArray[np.str_]
    hypotheses: int
    cuts: Floats

    @property
    def cut(self) -> float:
        """The log p at and below which an image of one version is detected."""
        return float(self.cuts.max())


def judge(log_p: Floats, log_floor: Floats, group: Ints, content: Ints, rule: Rule) -> Judged:
    """Verdicts of images [n] by the logs of their p and of the smallest p that they could reach.

    `group` [n]: equal numbers are near-duplicates; `content` [n]: equal numbers are equal files. A group's p is the
    smallest of its contents' times their number (Bonferroni), so that an image in many versions is one hypothesis.
    """
    if not len(log_p):
        return Judged(np.zeros(0), np.zeros(0, dtype="U12"), 0, np.log([rule.alpha]))
    names, number = np.unique(group, return_inverse=True)
    pairs = np.unique(np.stack([number, content]), axis=1)
    versions = np.log(np.bincount(pairs[0], minlength=len(names)))
    smallest = np.zeros(len(names))
    np.minimum.at(smallest, number, log_p)
    group_p, own_p = (np.exp(np.clip(each, DEEPEST, 0.0)) for each in (smallest + versions, log_p + versions[number]))
    q = benjamini_hochberg(group_p)
    if rule.fdr is None:
        cut = np.full(len(log_p), np.log(rule.alpha) + EXACT)
        detected = log_p <= cut
    else:
        called = q <= rule.fdr * (1 + EXACT)
        threshold = rule.fdr * max(int(called.sum()), 1) / len(names)
        cut = np.log(threshold) - versions[number] + EXACT
        detected = called[number] & (log_p <= cut)
    verdict = np.where(detected, DETECTED, np.where(log_floor > cut, INCONCLUSIVE, NOT_DETECTED))
    return Judged(own_q(own_p, q), verdict, len(names), cut)


def own_q(p: Floats, q: Floats) -> Floats:
    """The least rate at which Benjamini-Hochberg, with the q-values `q` of all groups [m], calls an image of p [n].

    With the k smallest q-values called, the rate is at least the k-th of them, and p must be at most rate times k / m.
    """
    steps, m = np.sort(q), len(q)
    first = np.searchsorted(
        steps * np.arange(1, m + 1) / m, p * (1 - EXACT), side="left"
    )  # the fewest calls that suffice
    known = np.append(steps, np.inf)[first]
    fewer = np.where(first > 0, m * p / np.maximum(first, 1), np.inf)
    least: Floats = np.minimum(np.minimum(known, fewer), 1.0)
    return least


def hypotheses_of(hashes: Ints, near: Ints, content: Ints) -> Ints:
    """For each image the number of its group: `near` where it has a hash, else the first file of its content.

    `hashes` [n]: 0 for flat images, which look alike whatever they are; `near` [n]: `phash.groups`.
    """
    _, first, inverse = np.unique(content, return_index=True, return_inverse=True)
    return np.asarray(np.where(hashes == 0, first[inverse], near))
