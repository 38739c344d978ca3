"""The one place that chooses how the interval of a mean is made, from what its units show.

| what the units show | interval |
|---|---|
| fewer than `FEW` units differ from a value that most share | conservative over the range; none where it is not known |
| the mean's sampling skewness is below `NEGLIGIBLE` | Student's t |
| below `MILD` | Student's t, corrected for skewness |
| more | conservative, with a further unit beyond each extreme, further for more than `STRONG` |

Values of 0 and 1 are verdicts and take `stats/shares.py`. The thresholds come from simulation: see docs/intervals.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from evalkit.metrics.base import Estimate
from evalkit.stats.padded import Padded
from evalkit.stats.studentised import Studentised
from evalkit.stats.units import Array, Units

Range = tuple[float | None, float | None]
FEW = 5
NEGLIGIBLE, MILD, STRONG = 0.02, 0.2, 0.4
FURTHER = (1.5, 3.0)  # distances from the mean to the extreme by which the further unit lies beyond it
SPENT = (1.0, 0.5)  # part of alpha that is left out; the rest pays for a choice that was made by the same data
SMALL = 12  # units below which skewness shows too badly to leave out Student's t
_SAME = 12  # digits of the largest value in which equal values agree


class Rule(Protocol):
    """An interval around a mean at every alpha, and the alpha at which it ends at a value."""

    @property
    def mean(self) -> float:
        """The value that is estimated."""

    def bounds(self, alpha: float) -> tuple[float, float]:
        """Both bounds."""

    def p(self, value: float) -> float:
        """Two-sided p of a true value."""


@dataclass(frozen=True)
class Chosen:
    """A `rule` with its name, None where no interval can be stated; `said` then says why. `rare`: hardly any unit differs."""

    rule: Rule | None
    said: str
    rare: bool = False


def choose(units: Units, range: Range = (None, None)) -> Chosen:
    """How the interval of the mean of `units` is made; `range` are the bounds that a sample's value cannot pass."""
    n, word = units.count, units.word
    if np.isnan(units.mean):
        return Chosen(None, "nothing to measure: no sample has this value")
    if n < 2:
        return Chosen(None, f"no interval: there is one of the {word}")
    different, shared = _ties(units.rates)
    if different < FEW and shared > different:
        return _rare(units, range, different)
    influence, skewness = units.influence, units.skewness
    plain = Studentised(units.mean, units.standard_error, n - 1, skewness if abs(skewness) >= NEGLIGIBLE else 0.0)
    if abs(skewness) < MILD:
        corrected = ", corrected for skewness" if plain.skewness else ""
        return Chosen(plain, f"Student's t over {n} {word}{corrected}")
    strong = abs(skewness) >= STRONG
    further = FURTHER[strong]
    least, most = _room(units, range)
    below = max(float(influence.min()) * (1 + further), least)
    above = min(float(influence.max()) * (1 + further), most)
    padded = _padded(units.mean, influence, below, above, SPENT[strong])
    said = f"conservative, since {n} {word} are few for this skewness: random weights, one more beyond each extreme"
    return Chosen(Wider(padded, Studentised(units.mean, units.standard_error, n - 1)) if n < SMALL else padded, said)


def estimate(units: Units, n: int, range: Range, level: float) -> Estimate:
    """The mean of `units` with the interval that is chosen for it, within the range; `n` samples in all."""
    chosen = choose(units, range)
    if chosen.rule is None:
        return Estimate(units.mean, None, None, n, chosen.said, level)
    low, high = chosen.rule.bounds(1 - level)
    if range[0] is not None:
        low = max(low, range[0])
    if range[1] is not None:
        high = min(high, range[1])
    return Estimate(units.mean, float(low), float(high), n, chosen.said, level)


@dataclass(frozen=True)
class Wider:
    """The wider of two intervals at each end."""

    one: Rule
    other: Rule

    @property
    def mean(self) -> float:
        """That of both."""
        return self.one.mean

    def bounds(self, alpha: float) -> tuple[float, float]:
        """The lower of the lower bounds and the higher of the higher ones."""
        (a, b), (c, d) = self.one.bounds(alpha), self.other.bounds(alpha)
        return min(a, c), max(b, d)

    def p(self, value: float) -> float:
        """The larger of both."""
        return max(self.one.p(value), self.other.p(value))


@dataclass(frozen=True)
class Fixed:
    """A conservative rule within a range, one side of which may have no room: the value then lies on that bound."""

    padded: Padded
    low: float
    high: float

    @property
    def mean(self) -> float:
        """That of the rule."""
        return self.padded.mean

    def bounds(self, alpha: float) -> tuple[float, float]:
        """Both bounds."""
        low, high = self.padded.bounds(alpha)
        return max(low, self.low), min(high, self.high)

    def p(self, value: float) -> float:
        """Two-sided p; 0 outside the range."""
        return self.padded.p(value) if self.low <= value <= self.high else 0.0


def _rare(units: Units, range: Range, different: int) -> Chosen:
    """Few units differ: the range decides how far the mean may be, and without it nothing does."""
    n, word = units.count, units.word
    what = f"all {n} {word} are equal" if different == 0 else f"only {different} of {n} {word} differ from the others"
    low, high = range
    if low is None or high is None or not low <= units.mean <= high or low == high:
        most = 100 * (1 - 0.025 ** (1 / n))
        more = f", and up to {most:.2g} % of further ones may differ" if different == 0 else ""
        return Chosen(None, f"no interval: n is too small for this distribution, since {what}{more}", rare=True)
    least, most = _room(units, range)
    tiny = 1e-9 * (most - least)
    rule = Fixed(_padded(units.mean, units.influence, min(least, -tiny), max(most, tiny)), low, high)
    said = f"conservative, since {what}: random weights, one more at each bound of the range (Gaffke)"
    return Chosen(rule, said, rare=True)


def _room(units: Units, range: Range) -> tuple[float, float]:
    """How far the influence of a unit can go below and above."""
    weight = float(units.bottom.max() / units.bottom.mean())
    low, high = range
    least = -np.inf if low is None else min((low - units.mean) * weight, float(units.influence.min()))
    most = np.inf if high is None else max((high - units.mean) * weight, float(units.influence.max()))
    return float(least), float(most)


def _padded(mean: float, influence: Array, below: float, above: float, spent: float = 1.0) -> Padded:
    values, counts = np.unique(influence, return_counts=True)
    return Padded(mean, values, counts.astype(np.float64), below, above, spent)


def _ties(rates: Array) -> tuple[int, int]:
    """How many units differ from the value that most of them have, and how many have it."""
    known = rates[~np.isnan(rates)]
    scale = float(np.abs(known).max(initial=0.0)) or 1.0
    counts = np.unique(np.round(known / scale, _SAME), return_counts=True)[1]
    most = int(counts.max(initial=0))
    return len(known) - most, most
