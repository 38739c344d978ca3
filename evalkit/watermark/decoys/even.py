"""How far a key strays over a folder as a whole, once its leans on single images are taken out.

Few coins that all images share leave some keys wide tails and others none. So each key is shifted until it calls as many
of the folder's images as every other key does. All keys are treated alike, so ranks stay exact. A marked key calls many,
and would be shifted until it calls none too many. So the keys that need most are shifted by no more than the other 98 %, or
than their lower tail needs, which marked images do not reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.watermark.decoys.lean import Fit, blocks, leans, spread_of

Floats = npt.NDArray[np.float64]
Value = Callable[[Floats], Floats]
ROUNDS = 3  # a shift moves what others are compared with
MOST = 0.98  # of the keys are shifted as they need, the others as the last of these
CALLED = 3  # images that a key must be expected to call for its shift to count in full
BINS, REACH = 1200, 6.0  # of distances from the threshold, in spreads of what is left


@dataclass(frozen=True)
class Left:
    """Of a block: which images count [b], left-over scores and leans [b, K + 1], the spread of each image's left-over ones."""

    fresh: npt.NDArray[np.bool_]
    rows: Floats
    lean: Floats
    spread: Floats


Parts = Callable[[], Iterable[Left]]


def left_of(scores: Iterable[npt.NDArray[Any]], fit: Fit) -> Iterator[Left]:
    """What is left of blocks of scores once their leans are taken out."""
    start = 0
    for block in blocks(scores):
        x, lean = leans(block, fit)
        yield Left(fit.fresh[start : start + len(block)], x - lean, lean, spread_of(x - lean))
        start += len(block)


def shifts(parts: Parts, fit: Fit, level: float) -> Floats:
    """The shift of each key [K + 1], in spreads of an image's left-over scores; 0 on average but for rounding.

    Thresholds are those of `level`, or of the share that `CALLED` images are; then only a part of the shift is made.
    """
    keys = len(fit.means)
    found = np.zeros(keys)
    tail = max(level, CALLED / max(fit.images, 1))
    if tail >= 0.5:
        return found
    calls = best_of(tail, keys)

    def exceeded(value: Value, share: float) -> Floats:
        return _exceeded((_values(*each, value) for each in shifted(parts(), found)), keys, share * fit.images)

    up, down = (lambda rows: rows - threshold(rows, calls)), (lambda rows: -rows - threshold(-rows, calls))
    middle = np.minimum(exceeded(lambda rows: rows, 0.5), 0.0)  # below 0 where leans were taken too large
    low = exceeded(down, calls / keys) + 2 * middle
    for _ in range(ROUNDS):
        found = found + exceeded(up, calls / keys)
        found -= found.mean()
        most = np.sort(found)[-max(2, round((1 - MOST) * keys))]
        found = np.minimum(found, np.maximum(most, low))
    return found * level / tail


def _values(fresh: npt.NDArray[np.bool_], left: Floats, _: Floats, value: Value) -> Floats:
    """A value of each image that is no copy, under each key, in spreads of its row; far below all where there is none."""
    rows = left[fresh]
    spread = spread_of(rows)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(spread > 0, value(rows) / spread, -REACH)
    return found


def _exceeded(blocks_of_values: Iterable[Floats], keys: int, images: float) -> Floats:
    """[K + 1]: the lowest edge of a bin that values of no more than `images` exceed."""
    counts = np.zeros(keys * BINS, np.int64)
    for values in blocks_of_values:
        cell = np.clip(np.ceil((values + REACH) * (BINS / (2 * REACH))), 0, BINS - 1).astype(np.int64)
        counts += np.bincount((cell + np.arange(keys) * BINS).ravel(), minlength=keys * BINS)
    each = counts.reshape(keys, BINS)
    exceeding = each[:, ::-1].cumsum(1)[:, ::-1] - each
    found: Floats = (exceeding <= images).argmax(1) * (2 * REACH / BINS) - REACH
    return found


def best_of(level: float, keys: int) -> int:
    """How many of `keys` keys, the best ones, are called at a level; one at least."""
    return max(1, int(np.floor(level * keys + 1e-9)))


def threshold(left: Floats, calls: int) -> Floats:
    """[b, 1]: what the best `calls` of each row [b, K + 1] lie above."""
    at = left.shape[1] - calls - 1
    found: Floats = np.partition(left, at, axis=1)[:, at, None]
    return found


def shifted(parts: Iterable[Left], shift: Floats) -> Iterator[tuple[npt.NDArray[np.bool_], Floats, Floats]]:
    """Of each block (which images count [b], left-over scores [b, K + 1], leans with the shifts [b, K + 1])."""
    for part in parts:
        moved = part.spread[:, None] * shift
        yield part.fresh, part.rows - moved, part.lean + moved
