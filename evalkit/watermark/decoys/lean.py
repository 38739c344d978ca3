"""How far a key leans on an image because of codes that it shares with the other images of its folder.

A key that happens to favour a common code favours every image that holds it. Over random keys the scores of all images are
jointly almost normal, with a covariance that the shared codes make and the decoys show. So the lean of an image is what
its key's scores on the *other* images predict of its own (kriging), and the rest is evidence of the image's own codes.
Every key is treated in the same way and predicted from the others alone, so ranks of what is left are exchangeable.

With X [images, keys] of standardised scores, P = (X'X + r I)^-1 and A = X P, the residual of image i under key k that
neither the image's own score nor the key's own column was used for is e / (1 - h), e = A_ik / P_kk, h = h_i - P_kk e^2
(block inverse of ridge regression; h_i = sum_k A_ik X_ik). For few images the same numbers follow from X X'.

A folder that is marked as a whole looks like a key that leans, and a few marked images make a key that leans the greenest.
So the greenest key leans two spreads at most; or as far as its lower tail foretells, which few marked images do not
reach; but no further than any other key does, which is what no lean explains.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
BLOCK = 1024  # images that are held as floats; blocks begin at its multiples, however rows arrive
TRIM = 0.02  # of a row at each end that says nothing of its mean and spread
WIDER = 1.06  # the spread of a normal law over that of its middle 96 %, rounded up
CLIP = 3.0  # of standardised scores that predict: a marked image is no lean
RIDGE = 3.0  # times the larger of images and keys, at least
FARTHEST = 2.0  # spreads that the folder's greenest key may lean in any case
LOW, DOUBT = 0.1, 2.0  # the share of images in the lower tail; standard deviations among keys that are granted
BINS = 600  # of clipped scores, for their lower tails
SHARED = 0.03  # of the images: codes that fewer of them share foretell little


@dataclass(frozen=True)
class Fit:
    """What all images together say: `inverse` P [K + 1, K + 1], `means` of clipped scores of each key, `top` the key with
    the largest mean. The last column is the real key. `fresh` [n]: images whose codes no image before them has; the others
    are copies, and say nothing more (nor do images that cannot be called, once `ranks.ranked` knows them). `steady`: the
    part of the top key's mean that its lower tail shows, 0 to 1.
    """

    inverse: Floats
    means: Floats
    fresh: npt.NDArray[np.bool_]
    top: int
    steady: float = 0.0

    @property
    def images(self) -> int:
        """How many images count."""
        return int(self.fresh.sum())


def standardised(scores: npt.NDArray[Any]) -> Floats:
    """Scores [B, K + 1] of images less the middle of their row, over its spread; rows without a spread are 0."""
    middle = _middle(scores)
    spread = middle.std(1, keepdims=True) * WIDER
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(spread > 0, (scores - middle.mean(1, keepdims=True)) / spread, 0.0)
    return found


def blocks(parts: Iterable[npt.NDArray[Any]], size: int = BLOCK) -> Iterator[npt.NDArray[Any]]:
    """Rows in pieces of `size`, the last one shorter, so that no split into shards changes a sum."""
    held: list[npt.NDArray[Any]] = []
    for part in parts:
        held.append(part)
        while sum(map(len, held)) >= size:
            rows = np.concatenate(held)
            held = [rows[size:]]
            yield rows[:size]
    if sum(map(len, held)):
        yield np.concatenate(held)


def fitted(
    scores: Callable[[], Iterable[npt.NDArray[Any]]],
    *,
    copies: bool = False,
    shared: float = SHARED,
    tail: bool = True,
) -> Fit:
    """The first pass over score blocks [b, K + 1]; `copies` of an image's codes count too.

    `shared`: a direction of the scores is foretold by half where it is that share of the folder's sum of squares.
    Without `tail` the lower tail of the greenest key says nothing.
    """
    gram: Floats | float = 0.0
    sums: Floats | float = 0.0
    cells: npt.NDArray[np.int64] | int = 0
    seen: set[bytes] = set()
    fresh: list[bool] = []
    for block in blocks(scores()):
        new = [copies or _is_new(row, seen) for row in block]
        clipped = np.clip(standardised(block[new]), -CLIP, CLIP)
        gram, sums = gram + clipped.T @ clipped, sums + clipped.sum(0)
        cells = cells + _cells(clipped) if tail else 0
        fresh += new
    square = np.atleast_2d(np.asarray(gram, np.float64))
    ridge = max(RIDGE * max(sum(fresh), len(square)), shared * sum(fresh) * len(square))
    inverse = np.asarray(np.linalg.inv(square + ridge * np.eye(len(square))), np.float64)
    means = np.asarray(sums, np.float64) / max(sum(fresh), 1)
    top = top_of(means)
    return Fit(inverse, means, np.array(fresh, bool), top, _steady(np.asarray(cells), means, top) if tail else 0.0)


def _cells(clipped: Floats) -> npt.NDArray[np.int64]:
    """[K + 1, BINS]: how many of the rows lie in each bin."""
    keys = clipped.shape[1]
    cell = np.minimum((clipped + CLIP) * (BINS / (2 * CLIP)), BINS - 1).astype(np.int64)
    return np.bincount((cell + np.arange(keys) * BINS).ravel(), minlength=keys * BINS).reshape(keys, BINS)


def _steady(cells: npt.NDArray[np.int64], means: Floats, top: int) -> float:
    """The lower tail of the top key, and what other keys' means lie above theirs, as a part of its mean."""
    if means[top] <= 0:
        return 1.0
    low = (cells.cumsum(1) >= LOW * cells.sum(1, keepdims=True)).argmax(1) * (2 * CLIP / BINS) - CLIP
    others = np.delete(means - low, top)
    return float(np.clip((low[top] + others.mean() + DOUBT * others.std()) / means[top], 0.0, 1.0))


def _is_new(row: npt.NDArray[Any], seen: set[bytes]) -> bool:
    """Whether no image before had the same score under every key, as images of the same codes have."""
    digest = hashlib.blake2b(np.ascontiguousarray(row).tobytes(), digest_size=16).digest()
    known = len(seen)
    seen.add(digest)
    return len(seen) > known


def top_of(means: Floats) -> int:
    """The key with the largest mean; the real one, which is last, only where it is above every decoy."""
    best = int(means[:-1].argmax())
    return len(means) - 1 if means[-1] > means[best] + 1e-6 else best


def leans(block: npt.NDArray[Any], fit: Fit) -> tuple[Floats, Floats]:
    """(standardised scores, leans), each [b, K + 1], of a block of images."""
    x = standardised(block)
    clipped = np.clip(x, -CLIP, CLIP)
    ahead = clipped @ fit.inverse
    diagonal = np.diag(fit.inverse)
    own = ahead / diagonal
    leverage = (ahead * clipped).sum(1, keepdims=True) - diagonal * own**2
    lean = clipped - own / np.maximum(1 - leverage, 1e-9)
    mine = lean[:, fit.top]
    foretold = np.minimum(fit.steady * mine, np.delete(lean, fit.top, axis=1).max(1))
    lean[:, fit.top] = np.minimum(mine, np.maximum(FARTHEST * spread_of(lean), foretold))
    return x, lean


def spread_of(rows: Floats) -> Floats:
    """The spread [b] of the middle of each row."""
    found: Floats = _middle(rows).std(1) * WIDER
    return found


def _middle(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Rows without `TRIM` of their values at each end."""
    cut, last = int(TRIM * rows.shape[1]), rows.shape[1] - int(TRIM * rows.shape[1]) - 1
    return np.partition(rows, (cut, last), axis=1)[:, cut : last + 1] if last > cut else rows
