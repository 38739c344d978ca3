"""How few prompts carry a claim: the fewest units without which one system is no longer ahead of another.

The question of Broderick, Giordano and Meager (arXiv:2011.14999), here answered exactly: the sign of a mean difference
is that of its sum, and leaving out the units that help most lowers the sum fastest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import t

from evalkit.errors import EvalkitError
from evalkit.stats.units import units_of


@dataclass(frozen=True)
class Flip:
    """`count` of `units` whose removal turns the order around; None where no proper subset does. `which`: their places,
    the most helpful first. `blur`: how many until the difference is no longer beyond its interval (None: never)."""

    count: int | None
    units: int
    which: tuple[int, ...]
    blur: int | None

    @property
    def share(self) -> float | None:
        """Part of all units that has to go."""
        return None if self.count is None else self.count / self.units


def fewest_to_flip(differences: npt.ArrayLike, *, clusters: npt.ArrayLike | None = None, level: float = 0.95) -> Flip:
    """The fewest samples, or `clusters` [n], without which the mean of `differences` [n] is zero or of the other sign.

    `which` counts samples in the order given (nan left out), or clusters in sorted order. Raises `EvalkitError` where
    there is nothing, or only equality, to flip.

    >>> fewest_to_flip([5, 1, 1, -2, -2]).count
    1
    """
    sums = units_of(differences, clusters).top
    if len(sums) == 0 or not np.isfinite(sums).all():
        raise EvalkitError("only a difference of finite values can be turned. Leave out samples without a value")
    total = float(sums.sum())
    if total == 0:
        raise EvalkitError("the two are equal on average: there is no order to turn")
    helpful = np.sign(total) * sums
    order = np.argsort(-helpful, kind="stable")
    left = abs(total) - np.cumsum(helpful[order])
    tiny = 1e-12 * float(np.abs(sums).sum())
    turned = np.flatnonzero(left[:-1] <= tiny)  # without the last there would be no data left
    count = int(turned[0]) + 1 if len(turned) else None
    return Flip(count, len(sums), tuple(int(i) for i in order[: count or 0]), _blur(helpful[order], level))


def _blur(helpful: npt.NDArray[np.float64], level: float) -> int | None:
    """How many of the leading units have to go until the t interval of the rest holds zero."""
    n = len(helpful)
    ones = np.arange(n, 0, -1.0)  # units left after removing 0, 1, 2, …
    sums = np.cumsum(helpful[::-1])[::-1]
    squares = np.cumsum((helpful**2)[::-1])[::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums / ones
        error = np.sqrt(np.maximum(squares / ones - mean**2, 0.0) / (ones - 1))
        inside = mean - _quantiles(n, level) * error <= 0
    found = np.flatnonzero(inside[:-1])
    return int(found[0]) if len(found) else None


@lru_cache(maxsize=8)
def _quantiles(n: int, level: float) -> npt.NDArray[np.float64]:
    """Student's quantiles for n, n - 1, … 1 units: the same for every pair of systems on a board."""
    found: npt.NDArray[np.float64] = t.ppf((1 + level) / 2, np.arange(n, 0, -1.0) - 1)
    return found
