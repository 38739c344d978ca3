"""A conservative interval of a mean: units under random weights, with one more unit at each end that was not seen.

Weights are Dirichlet, as in the Bayesian bootstrap (Rubin 1981, doi:10.1214/aos/1176345338). The further unit lies at the
bound of the range, which is Gaffke's interval (2005; Learned-Miller and Thomas 2020, arXiv:1905.06208) and Clopper and
Pearson's for values of 0 and 1; or, where no bound is near, beyond the extreme that was seen. No weight is drawn: tails of
the weighted mean come from the saddlepoint (Lugannani and Rice 1980, in Barndorff-Nielsen's form).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from evalkit.stats.units import Array

_NEAR, _FAR = -7.0, 34.0  # of log(tilt / (1 - tilt)): hardly any tilt, all weight on the further unit


@dataclass(frozen=True)
class Padded:
    """Deviations [units] from the `mean`, each distinct one `counts` times, and the further unit `below` and `above`.

    `below` < 0 < `above`; deviations lie between them and their counted sum is zero. `spent`: part of alpha that is left out.
    """

    mean: float
    deviations: Array
    counts: Array
    below: float
    above: float
    spent: float = 1.0

    def bounds(self, alpha: float) -> tuple[float, float]:
        """The interval that leaves out at most `alpha`, half of it on each side."""
        z = -float(ndtri(self.spent * alpha / 2))
        up, down = _Side(self.deviations, self.counts, self.above), _Side(-self.deviations, self.counts, -self.below)
        return self.mean - down.reach(z), self.mean + up.reach(z)

    def p(self, value: float) -> float:
        """Two-sided p of a true mean of `value`: the alpha at which the interval ends there."""
        apart = value - self.mean
        if apart >= 0:
            side, bound = _Side(self.deviations, self.counts, self.above), self.above
        else:
            side, bound = _Side(-self.deviations, self.counts, -self.below), -self.below
        if abs(apart) >= bound:
            return 0.0
        return min(1.0, 2 * float(ndtr(-side.score(abs(apart)))) / self.spent)


class _Side:
    """The upper side of deviations with a further unit at `end`, the largest."""

    def __init__(self, deviations: Array, counts: Array, end: float) -> None:
        self.x, self.counts = np.append(deviations, end) / end, np.append(counts, 1.0)
        self.end, self.n = end, float(self.counts.sum())

    def reach(self, z: float) -> float:
        """The deviation below which the weighted mean stays with the chance of a normal variable below `z`."""
        least, score = self._at(_tilt(_NEAR))
        if score >= z:
            return least * self.end
        found = float(brentq(lambda place: self._at(_tilt(place))[1] - z, _NEAR, _FAR, xtol=1e-8))
        return self._at(_tilt(found))[0] * self.end

    def score(self, deviation: float) -> float:
        """The normal score of a deviation; that of half the chance or more is 0."""
        wanted = deviation / self.end
        if wanted <= self._at(_tilt(_NEAR))[0]:
            return 0.0
        found = float(brentq(lambda place: self._at(_tilt(place))[0] - wanted, _NEAR, _FAR, xtol=1e-8))
        return max(0.0, self._at(_tilt(found))[1])

    def _at(self, tilt: float) -> tuple[float, float]:
        """The mean under weights tilted towards the end, and the normal score of the chance to stay below it."""
        left = 1 - tilt * self.x
        total = float(self.counts @ (1 / left))
        mean = (total - self.n) / (tilt * total)
        signed = 2 * (float(self.counts @ np.log(left)) + self.n * math.log(total / self.n))
        root = math.sqrt(max(signed, 1e-300))
        slope = tilt * total / self.n * math.sqrt(float(self.counts @ ((self.x - mean) * self.n / total / left) ** 2))
        return mean, root + math.log(slope / root) / root


def _tilt(place: float) -> float:
    return 1 / (1 + math.exp(-place))
