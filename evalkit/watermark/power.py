"""How many distinct codes a mark needs to be found, before anything is generated.

With flat logits a code is green with chance p1 = gamma e^delta / (1 - gamma + gamma e^delta); after the way through pixels
a share `match` of the codes is read back as it was, and the others are green as often as any: p = match p1 + (1 - match)
gamma. The test is the detector's: Binomial(n, gamma) over n distinct codes, times the number of lists. Powers are exact
binomial ones. Real logits are not flat, so all of it is an upper bound of the power: a code that the model is sure of
does not move.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri
from scipy.stats import binom

from evalkit.errors import EvalkitError
from evalkit.watermark.exact import binomial_log_tail

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MOST = 2**22  # codes; beyond them no plan is made


@dataclass(frozen=True)
class MarkPlan:
    """A mark to plan.

    `gamma` and `delta` (infinity: hard); `match`: share of codes that survive the way through pixels; `lists` in the pool;
    `alpha`: false-positive rate.
    """

    delta: float
    gamma: float = 0.5
    match: float = 1.0
    lists: int = 1
    alpha: float = 1e-3

    def __post_init__(self) -> None:
        if not 0 < self.gamma < 1 or not 0 <= self.match <= 1:
            raise EvalkitError(
                f"gamma lies between 0 and 1, match from 0 to 1; {self.gamma:g} and {self.match:g} given"
            )
        if not self.delta > 0 or self.lists < 1 or not 0 < self.alpha < 1:
            raise EvalkitError(
                f"delta is above 0, lists at least 1, a false-positive rate between 0 and 1; "
                f"{self.delta:g}, {self.lists} and {self.alpha:g} given"
            )

    @property
    def green(self) -> float:
        """Chance that a code of a marked image is read back green.

        >>> round(MarkPlan(delta=2).green, 4), round(MarkPlan(delta=2, match=0.7).green, 4)
        (0.8808, 0.7666)
        """
        marked = self.gamma / (self.gamma + (1 - self.gamma) * math.exp(-self.delta))
        return self.match * marked + (1 - self.match) * self.gamma


def delta_of(green: float, gamma: float = 0.5) -> float:
    """The delta with which a share `green` of the codes of flat logits is green; raises `EvalkitError` where none is.

    >>> round(delta_of(0.8808), 2)
    2.0
    """
    if not 0 < gamma < green <= 1:
        raise EvalkitError(
            f"a marked image has more green codes than gamma, {gamma:g}; {green:g} given. Give a larger --green"
        )
    return math.inf if green == 1 else math.log(green * (1 - gamma) / ((1 - green) * gamma))


def greens_needed(plan: MarkPlan, codes: npt.ArrayLike) -> Ints:
    """Green codes of n distinct ones from which on lists * P[Binomial(n, gamma) >= g] <= alpha; n + 1 where none suffice."""
    n = np.asarray(codes, dtype=np.int64)
    level = math.log(plan.alpha / plan.lists)
    least = np.asarray(binom.isf(plan.alpha / plan.lists, n, plan.gamma), dtype=np.int64) - 1
    least = np.clip(least, 0, n + 1)
    for _ in range(4):  # isf may be off by one in far tails; the tail itself decides
        least = np.where(binomial_log_tail(least, n, plan.gamma) > level, least + 1, least)
    found: Ints = np.minimum(least, n + 1)
    return found


def power(plan: MarkPlan, codes: npt.ArrayLike) -> Floats:
    """Chance that a marked image of n distinct codes is found at the plan's false-positive rate, exactly.

    >>> float(power(MarkPlan(delta=2, alpha=1e-2), 30).round(3))
    0.993
    """
    n = np.asarray(codes, dtype=np.int64)
    found: Floats = np.asarray(binom.sf(greens_needed(plan, n) - 1, n, plan.green), dtype=np.float64)
    return found


def codes_needed(plan: MarkPlan, wanted: float = 0.9) -> int | None:
    """The number of distinct codes from which on the power stays at `wanted` or above; None where there is no such number.

    Exact power rises in a sawtooth: one code more may ask for one green more. This is the first number after the last tooth.
    """
    guess = codes_needed_normal(plan, wanted)
    if guess is None:
        return None
    top = 2 * guess + 64
    while top <= MOST:
        n = np.arange(1, top + 1)
        below = np.flatnonzero(power(plan, n) < wanted)
        last = int(n[below[-1]]) if len(below) else 0
        if 1.25 * last + 32 < top:  # teeth shrink; none this far above the last one seen
            return last + 1
        top *= 2
    return None


def codes_needed_normal(plan: MarkPlan, wanted: float = 0.9) -> int | None:
    """The normal approximation of `codes_needed`, for comparison with papers.

    n = ((z_alpha sqrt(gamma (1 - gamma)) + z_beta sqrt(p (1 - p))) / (p - gamma))^2, with alpha / lists. It is too
    small for small n and gamma away from 1/2.
    """
    if not 0 < wanted < 1:
        raise EvalkitError(f"power lies between 0 and 1; {wanted:g} given")
    p, gamma = plan.green, plan.gamma
    if p - gamma < 1e-12:
        return None
    z_alpha, z_beta = -float(ndtri(plan.alpha / plan.lists)), float(ndtri(wanted))
    root = (z_alpha * math.sqrt(gamma * (1 - gamma)) + z_beta * math.sqrt(p * (1 - p))) / (p - gamma)
    needed = math.ceil(max(root, 0.0) ** 2)
    return needed if needed <= MOST else None


@dataclass(frozen=True)
class PowerRow:
    """One line of a power table."""

    plan: MarkPlan
    codes: int
    power: float
    greens: int | None  # needed of `codes`; None where even all of them do not suffice
    needed: int | None
    needed_normal: int | None


def power_table(plans: list[MarkPlan], codes: int, wanted: float = 0.9) -> list[PowerRow]:
    """A row a plan: its power at `codes` distinct codes, and how many codes it needs for the `wanted` power."""
    if not 1 <= codes <= MOST:
        raise EvalkitError(f"an image has from 1 to {MOST:,} codes; {codes:,} given")
    rows = []
    for plan in plans:
        greens = int(greens_needed(plan, codes))
        rows.append(
            PowerRow(
                plan=replace(plan),
                codes=codes,
                power=float(power(plan, codes)),
                greens=greens if greens <= codes else None,
                needed=codes_needed(plan, wanted),
                needed_normal=codes_needed_normal(plan, wanted),
            )
        )
    return rows
