"""From scores of a folder under the real key and its decoys to p-values, an interval of false calls, and a folder's p.

Before anybody marked with it, the real key was one more random key: given the images, all K + 1 keys are exchangeable. So
(1 + decoys at least as large) / (K + 1) is a valid p for any number that is computed of each key in the same way: of an
image after its lean is taken out, and of the folder as a whole, also where its images share codes. Ties count as larger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, ndtri_exp

from evalkit.watermark.decoys.even import Left, best_of, left_of, shifted, shifts, threshold
from evalkit.watermark.decoys.lean import SHARED, Fit, fitted

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
TIE = 6  # decimals of what is compared: below that, rounding would decide
SAME = 1e-9  # of logs of p: what lies on the line can be called
LARGE = 2.5  # left-over scores that speak for a single marked image


@dataclass(frozen=True)
class Ranked:
    """One folder. `above` [n]: decoys whose left-over score is at least the real key's, of `keys`; `lean` [n]: the real
    key's, in spreads of an image's score.

    `level` is the largest rate up to alpha that ranks can tell; `false_calls` [K]: each decoy's share of images called at
    it, of those whose codes allow it, copies counted once. `folder_p` weighs the mean score and the largest left-over
    ones; `mean_p` the mean alone; `mean`: its value.
    """

    above: Ints
    lean: Floats
    keys: int
    level: float
    false_calls: Floats
    folder_p: float
    mean_p: float
    mean: float

    def log_p(self, log_exact: Floats, log_floor: Floats) -> Floats:
        """Logs of p [n]: the rank's; where no decoy is as large, what the exact p gives after the lean is taken off it.

        Never below `log_floor`, the smallest that the image's codes allow. Holds at every level on average over keys: at
        and above 1 / (K + 1) by the rank, below it because the exact p is the smaller one.
        """
        rank = np.log((1.0 + self.above) / (self.keys + 1))
        shifted = log_ndtr(ndtri_exp(np.minimum(log_exact, -1e-12)) + np.maximum(self.lean, 0.0))
        p = np.where(self.above == 0, np.minimum(rank, shifted), rank)
        found: Floats = np.minimum(np.maximum(p, log_floor), 0.0)
        return found

    def interval(self, share: float = 0.95) -> tuple[float, float, float]:
        """(mean, low, high) of the rate at which keys call these images at `level`; the real key's lies within by chance
        `share`.
        """
        ordered, tail = np.sort(self.false_calls), (1 - share) / 2
        low = int(np.floor(tail * (self.keys + 1)))
        high = int(np.ceil((1 - tail) * (self.keys + 1)))
        bottom = 0.0 if low < 1 else float(ordered[low - 1])
        top = 1.0 if high > self.keys else float(ordered[high - 1])
        return float(self.false_calls.mean()), bottom, top


def ranked(
    scores: Callable[[], Iterable[npt.NDArray[Any]]],
    alpha: float,
    log_floor: Floats | None = None,
    *,
    even: bool = True,
    shared: float = SHARED,
    digits: int = TIE,
    tail: bool = True,
) -> Ranked:
    """Passes over blocks of scores [b, K + 1], of which the real key's column is the last.

    `log_floor` [n]: logs of the smallest p that the codes of each image allow; images that cannot be called are left out
    of what keys are shifted by, and of their rates. Without `even` copies count, and keys are not shifted; `shared` and
    `tail` are those of `fitted`, `digits` the decimals that are compared. Runs say these four.
    """
    fit = fitted(scores, copies=not even, shared=shared, tail=tail)
    keys = len(fit.means) - 1
    calls = best_of(alpha, keys + 1)
    level = calls / (keys + 1)
    if log_floor is not None:
        fit = replace(fit, fresh=fit.fresh & (log_floor <= np.log(max(alpha, level)) + SAME))

    def parts() -> Iterator[Left]:
        return left_of(scores(), fit)

    shift_of_keys = shifts(parts, fit, level) if even else np.zeros(keys + 1)
    above, lean = [], []
    called, large = np.zeros(keys), np.zeros(keys + 1)
    for fresh, exact_left, shift in shifted(parts(), shift_of_keys):
        left = np.round(exact_left, digits)
        above.append((left[:, :-1] >= left[:, -1:]).sum(1))
        lean.append(shift[:, -1].copy())  # a view would hold the whole block
        called += (left[fresh, :-1] > threshold(left[fresh], calls)).sum(0)
        large += (np.maximum(left[fresh] - LARGE, 0.0) ** 2).sum(0)
    return _folder(fit, np.concatenate(above), np.concatenate(lean), called / max(fit.images, 1), large, level)


def _folder(fit: Fit, above: Ints, lean: Floats, false_calls: Floats, large: Floats, level: float) -> Ranked:
    keys = len(fit.means) - 1
    folder_p, mean_p = float(folder_ps(fit.means, large)[-1]), float(ranks_of(fit.means)[-1] / (keys + 1))
    return Ranked(above, lean, keys, level, false_calls, folder_p, mean_p, float(fit.means[-1]))


def folder_ps(means: Floats, large: Floats) -> Floats:
    """p of the folder under each key [K + 1]: the better of its ranks by mean score and by large left-over ones, ranked
    again among all keys; the other rank parts ties.
    """
    mean, far = ranks_of(means), ranks_of(large)
    both = np.minimum(mean, far) * (len(means) + 1) + np.maximum(mean, far)
    found: Floats = np.searchsorted(np.sort(both), both, side="right") / len(means)
    return found


def ranks_of(values: Floats) -> Ints:
    """How many of all values are at least each one; ties count."""
    rounded = np.round(values, 6)
    ordered = np.sort(rounded)
    found: Ints = len(values) - np.searchsorted(ordered, rounded, side="left")
    return found
