"""Student's t of a mean, corrected for the skewness of its sampling distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import stdtr, stdtrit


@dataclass(frozen=True)
class Studentised:
    """A mean with its standard `error`, degrees of freedom, and `skewness` of its sampling distribution (0: plain t).

    Source: the monotone cubic transformation of Hall 1992, doi:10.1111/j.2517-6161.1992.tb01876.x, section 3.
    """

    mean: float
    error: float
    df: float
    skewness: float = 0.0

    def bounds(self, alpha: float) -> tuple[float, float]:
        """The interval that leaves out `alpha`, half of it on each side."""
        quantile = -float(stdtrit(self.df, alpha / 2))
        return self.mean - self.error * self._root(quantile), self.mean - self.error * self._root(-quantile)

    def p(self, value: float) -> float:
        """Two-sided p of a true mean of `value`: the alpha at which the interval ends there."""
        ratio, g = (self.mean - value) / self.error, self.skewness
        corrected = ratio + g * ratio**2 / 3 + g**2 * ratio**3 / 27 + g / 6
        return float(2 * stdtr(self.df, -abs(corrected)))

    def _root(self, quantile: float) -> float:
        """The ratio of deviation to error whose transformation is `quantile`."""
        g = self.skewness
        return 3 * (math.cbrt(1 + g * (quantile - g / 6)) - 1) / g if g else quantile
