"""Inception score of images from the logits of the FID network, by the splits of either published evaluator.

The score is exp of the mean Kullback-Leibler divergence of each image's class distribution from that of its split
(Salimans et al. 2016, arXiv:1606.03498). Both evaluators take the 1,008 logits without the classifier's bias.
guided-diffusion's evaluator cuts chunks of 5,000 in file order and counts a short last one like the others;
torch-fidelity shuffles by a seed and cuts ten equal splits. An order sorted by class breaks the first: each chunk then
holds few classes, and the score collapses.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, stdtrit, xlogy

from evalkit.metrics.base import Estimate
from evalkit.metrics.rows import Array, Index, Rows, row_blocks
from evalkit.metrics.rules import SplitRule
from evalkit.metrics.score import declare_score

DECLARED = (
    declare_score(
        "is", "Inception score", "Inception score", "higher", source="Salimans et al. 2016, arXiv:1606.03498", low=1.0
    ),
)
_SORTED = 0.3  # share of neighbours of one class, above that of a shuffled order, from which an order counts as sorted


@dataclass(frozen=True)
class SplitSums:
    """Sums over the images of one split: count, class probabilities [classes], and p log p."""

    n: int
    probabilities: Array
    log_probability: float


def split_of(n: int, rule: SplitRule) -> list[Index]:
    """The image numbers of every split, empty splits left out.

    >>> [len(part) for part in split_of(12, SplitRule(chunk=5, shuffle=None))]
    [5, 5, 2]
    """
    order = np.arange(n) if rule.shuffle is None else np.random.RandomState(rule.shuffle).permutation(n)
    if rule.chunk is not None:
        bounds = [*range(0, n, rule.chunk), n]
    else:
        bounds = [i * n // rule.splits for i in range(rule.splits + 1)]
    return [order[a:b] for a, b in itertools.pairwise(bounds) if b > a]


def features_to_statistics(logits: npt.NDArray[np.floating]) -> SplitSums:
    """Sums of the images with these `logits` [k, classes], in float64."""
    log_p = log_softmax(np.asarray(logits, np.float64), axis=1)
    p = np.exp(log_p)
    return SplitSums(len(p), p.sum(0), float((p * log_p).sum()))


def merge(a: SplitSums, b: SplitSums) -> SplitSums:
    """Sums of both."""
    return SplitSums(a.n + b.n, a.probabilities + b.probabilities, a.log_probability + b.log_probability)


def statistics_to_value(sums: SplitSums) -> float:
    """The score of one split: exp of the mean divergence from its own mean distribution.

    >>> round(statistics_to_value(features_to_statistics(np.eye(4) * 100.0)), 6)
    4.0
    """
    mean = sums.probabilities / sums.n
    return math.exp(sums.log_probability / sums.n - float(xlogy(mean, mean).sum()))


def split_scores(logits: Rows, rule: SplitRule) -> Array:
    """The score of every split of `logits` [n, classes]; memory is that of one block."""
    return np.array([statistics_to_value(_sums(logits, part)) for part in split_of(len(logits), rule)])


def inception_score(
    logits: Rows, rule: SplitRule | None = None, *, classes: npt.ArrayLike | None = None, level: float = 0.95
) -> Estimate:
    """Mean score of the splits with Student's t interval over them; nan with the reason where a split would be empty.

    `classes` [n]: what each image shows, by which a sorted order is known; else what the network takes it for.

    The standard deviation over splits that papers print is `split_scores(...).std()`.
    """
    rule = rule or SplitRule()
    n = len(logits)
    if rule.chunk is None and n < rule.splits:
        return Estimate(math.nan, None, None, n, f"{rule.splits} splits need {rule.splits} images; {n} given", level)
    scores = split_scores(logits, rule)
    value, note = float(scores.mean()), _note(logits, rule, classes)
    how = _words(rule, len(scores))
    if len(scores) < 2:
        return Estimate(value, None, None, n, f"{how}; no interval from one split{note}", level)
    half = float(stdtrit(len(scores) - 1, (1 + level) / 2) * scores.std(ddof=1) / math.sqrt(len(scores)))
    return Estimate(value, value - half, value + half, n, f"{how}; Student's t over the splits{note}", level)


def is_sorted_by_class(classes: npt.ArrayLike) -> bool:
    """Whether neighbours share their class much more often than in a shuffled order.

    >>> is_sorted_by_class([0, 0, 0, 1, 1, 1, 2, 2, 2]), is_sorted_by_class([0, 1, 2, 1, 0, 2, 2, 0, 1])
    (True, False)
    """
    labels = np.asarray(classes)
    if len(labels) < 2:
        return False
    counts = np.unique(labels, return_counts=True)[1].astype(np.float64)
    chance = float((counts * (counts - 1)).sum()) / (len(labels) * (len(labels) - 1))
    return float((labels[1:] == labels[:-1]).mean()) > chance + _SORTED * (1 - chance)


def _sums(logits: Rows, part: Index) -> SplitSums:
    total: SplitSums | None = None
    for start in range(0, len(part), 2048):
        sums = features_to_statistics(np.asarray(logits[part[start : start + 2048]]))
        total = sums if total is None else merge(total, sums)
    if total is None:
        raise ValueError("a split is never empty")
    return total


def _note(logits: Rows, rule: SplitRule, classes: npt.ArrayLike | None) -> str:
    if rule.shuffle is not None:
        return ""
    seen = np.concatenate([b.argmax(1) for b in row_blocks(logits)]) if classes is None else np.asarray(classes)
    if not is_sorted_by_class(seen):
        return ""
    return "; the images are sorted by class, which lowers this score: shuffle them first"


def _words(rule: SplitRule, splits: int) -> str:
    order = "in file order" if rule.shuffle is None else f"shuffled by seed {rule.shuffle}"
    return f"{splits} chunks of {rule.chunk} {order}" if rule.chunk is not None else f"{splits} splits {order}"
