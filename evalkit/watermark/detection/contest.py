"""A search under all keys: decoys are looked for in every view that the real key is, and each key's best view counts.

The largest score over views is one number for each key, also where views share. Before anybody marked with it the real key
was one more random key, so its rank among the decoys needs no correction for the number of views. Views are compared by
their scores less the mean of all keys, over their spread; the image itself weighs as much as all other views together,
whose effective number is read off the middle key's best one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr

from evalkit.watermark.decoys.base import Decoys

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
UNIT = 1000  # of a kept score, which is -log10 of a tail
MOST = 2**16 - 1  # that is kept
CERTAIN = 0.01  # of the smallest rank: an exact p below it needs no search, which adds at most so much to a rate


class Contest:
    """Scores of images under K decoys and the real key, which stands last."""

    def __init__(self, decoys: Decoys) -> None:
        self.decoys = decoys
        self._best: dict[int, npt.NDArray[np.float32]] = {}

    @property
    def certain(self) -> float:
        """The exact p at or below which an image is not searched further."""
        return CERTAIN / (self.decoys.keys + 1)

    def scores(self, codes: npt.NDArray[np.int64], real: Ints) -> Ints:
        """[B, K + 1] of codes whose scores under the real key are `real` [B]."""
        return np.concatenate([self.decoys.scores(codes), real[:, None]], axis=1)

    def add(self, codes: npt.NDArray[np.int64], real: Ints, images: Sequence[int]) -> None:
        """Views of some images, which are numbers."""
        seen, owners = spreads(self.scores(codes, real)).astype(np.float32), np.asarray(images)
        for image in dict.fromkeys(images):
            most = seen[owners == image].max(0)
            before = self._best.get(image)
            self._best[image] = most if before is None else np.maximum(before, most)

    def settled(self, own: Ints) -> Ints:
        """[n, K + 1]: what is ranked of each image, from its own scores and those of its views."""
        tails = _tails(spreads(own))
        for image, most in self._best.items():
            best = _tails(most.astype(np.float64))
            others = np.log10(max(np.log(2.0) * 10 ** float(np.median(best)), 1.0))
            tails[image] = np.maximum(tails[image] + others, best)
        return np.minimum(np.rint(tails * UNIT), MOST).astype(np.int64)


def spreads(scores: Ints) -> Floats:
    """Scores [v, K + 1] less the mean of their row, over its spread; rows without a spread are 0."""
    away = scores - scores.mean(1, keepdims=True)
    spread = away.std(1, keepdims=True)
    found: Floats = np.divide(away, spread, out=np.zeros(away.shape), where=spread > 0)
    return found


def _tails(scores: Floats) -> Floats:
    """-log10 of normal tails."""
    found: Floats = -log_ndtr(-scores) / np.log(10.0)
    return found
