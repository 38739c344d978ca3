"""BLEU-4 of captions: how many n-grams of all captions occur in the references of their images.

Source: Papineni et al. 2002 (ACL, P02-1040), without smoothing; the reference nearest in length counts for the brevity
penalty, the shorter of two that are equally near, as in COCO's caption evaluation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from evalkit.metrics.base import Estimate
from evalkit.metrics.caption_words import ORDERS, Words, grams
from evalkit.metrics.sums import Array, Columns, Mask, Sums

MATCHES = tuple(f"matches_{order}" for order in ORDERS)  # n-grams of the caption that its references hold, clipped
LENGTH, NEAREST = "caption_words", "reference_words"
COLUMNS = (*MATCHES, LENGTH, NEAREST)


def bleu_counts(caption: Words, references: Sequence[Words]) -> dict[str, int]:
    """What a caption adds to the corpus, by the names of `COLUMNS`; `references` are at least one."""
    counts = {LENGTH: len(caption)}
    counts[NEAREST] = min((len(each) for each in references), key=lambda length: (abs(length - len(caption)), length))
    for name, order in zip(MATCHES, ORDERS, strict=True):
        held = [grams(each, order) for each in references]
        mine = grams(caption, order)
        counts[name] = sum(min(n, max(each[gram] for each in held)) for gram, n in mine.items())
    return counts


def bleu(counts: npt.ArrayLike) -> float:
    """BLEU-4 in [0, 1] of captions with `counts` [n, 6], in the order of `COLUMNS`; nan without captions.

    It is 0 where no n-gram of some order matches, as in many a single caption. COCO's program adds
    1e-15 and 1e-9 to counts, which shows there only.
    """
    matches, possible, length, nearest = _sums(np.asarray(counts, np.float64))
    if not length:
        return 0.0 if nearest else math.nan
    if not (matches > 0).all():
        return 0.0
    penalty = min(0.0, 1 - nearest / length)
    return math.exp(penalty + float(np.mean(np.log(matches / possible))))


def bleu_by_image(counts: npt.ArrayLike) -> Array:
    """float64 [n], whose mean is BLEU-4 and whose spread is its sampling error: n times each caption's influence on it.

    Source: the infinitesimal jackknife (Efron and Tibshirani 1993, chapter 21) of `bleu`, in closed form.
    """
    rows = np.asarray(counts, np.float64)
    value, n = bleu(rows), len(rows)
    if not value > 0:
        return np.full(n, value)
    matches, possible, length, nearest = _sums(rows)
    influence = (rows[:, :4] / matches - _possible(rows) / possible).mean(1)
    if length < nearest:
        influence += nearest * rows[:, 4] / length**2 - rows[:, 5] / length
    by_image: Array = value * (1 + n * influence)
    return by_image


def bleu_interval(counts: npt.ArrayLike) -> Estimate:
    """BLEU-4 with its interval over images, cut to [0, 1]; none where it is 0."""
    from evalkit.stats.intervals import mean_interval

    rows = np.asarray(counts, np.float64)
    value = bleu(rows)
    if not value > 0:
        return Estimate(value, None, None, len(rows), "no interval: no n-gram of some order matches")
    found = mean_interval(bleu_by_image(rows), method="mean")
    if found.low is None or found.high is None:
        return replace(found, value=value)
    how = f"{found.method}, of influences on the corpus"
    return replace(found, value=value, low=max(found.low, 0.0), high=min(found.high, 1.0), method=how)


def bleu_sums(metric: str, columns: Columns, rows: Mask) -> Iterator[Sums]:
    """The number as a mean over captions, for paired comparisons."""
    read = [columns.numbers(name) for name in COLUMNS]
    known = [each for each in read if each is not None]
    if len(known) < len(read):
        return
    counts = np.stack(known, 1)
    keep = rows & ~np.isnan(counts).any(1)
    if keep.any() and (value := bleu(counts[keep])) > 0:
        values = np.full(len(counts), math.nan)
        values[keep] = bleu_by_image(counts[keep])
        yield Sums(values, None, 1.0, value, columns.numbers(metric))


def _possible(rows: Array) -> Array:
    """float64 [n, 4]: n-grams of each caption."""
    possible: Array = np.maximum(rows[:, 4:5] - np.arange(4), 0)
    return possible


def _sums(rows: Array) -> tuple[Array, Array, float, float]:
    """Over captions: matches [4], n-grams [4], words, words of the nearest references."""
    return rows[:, :4].sum(0), _possible(rows).sum(0), float(rows[:, 4].sum()), float(rows[:, 5].sum())
