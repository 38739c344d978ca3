"""The made-up worlds of coverage.py: what a sample's value is drawn from, its true mean, and its true spread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Array = npt.NDArray[np.float64]
Range = tuple[float | None, float | None]
Draw = Callable[[np.random.Generator, int], Array]
UNIT: Range = (0.0, 1.0)
PER_PROMPT = 4


@dataclass(frozen=True)
class Law:
    """Values of samples with their true `mean`; `sd` of one of them, also where others are drawn with it.

    `range` is what is declared of a value; `weights` draws the lengths of a corpus rate, whose values are then rates;
    `clustered` draws come four to a prompt, and `sd` counts what they share.
    """

    name: str
    draw: Draw
    mean: float
    sd: float
    range: Range = (None, None)
    clustered: bool = False

    def oracle(self, n: int, level: float = 0.95) -> float:
        """Width of the normal interval of someone who knows the spread."""
        return 2 * float(ndtri((1 + level) / 2)) * self.sd / np.sqrt(n)


def beta(a: float, b: float, name: str) -> Law:
    sd = np.sqrt(a * b / (a + b + 1)) / (a + b)
    return Law(name, lambda rng, n: rng.beta(a, b, n), a / (a + b), float(sd), UNIT)


def zeros(share: float, name: str) -> Law:
    """Nothing in most images, and else something without an upper bound."""
    p = 1 - share
    return Law(name, lambda rng, n: (rng.random(n) < p) * rng.exponential(1, n), p, float(np.sqrt(2 * p - p * p)))


def share(p: float) -> Law:
    return Law(f"share {p}", lambda rng, n: (rng.random(n) < p).astype(float), p, float(np.sqrt(p * (1 - p))), UNIT)


def lognormal(s: float) -> Law:
    mean = np.exp(s * s / 2)
    sd = float(mean * np.sqrt(np.expm1(s * s)))
    return Law(f"lognormal {s}", lambda rng, n: rng.lognormal(0, s, n), float(mean), sd, (0.0, None))


def likert(chances: tuple[float, ...], name: str) -> Law:
    marks = np.arange(1.0, 6.0)
    mean = float(marks @ chances)
    sd = float(np.sqrt(marks**2 @ chances - mean**2))
    return Law(name, lambda rng, n: rng.choice(marks, n, p=chances), mean, sd, (1.0, 5.0))


def verdicts_by_prompt(a: float, b: float, name: str) -> Law:
    """Four images of a prompt, whose chance is drawn from a beta law."""
    p, shared = a / (a + b), 1 / (a + b + 1)

    def draw(rng: np.random.Generator, n: int) -> Array:
        chance = np.repeat(rng.beta(a, b, n // PER_PROMPT), PER_PROMPT)
        return (rng.random(len(chance)) < chance).astype(float)

    return Law(name, draw, p, float(np.sqrt(p * (1 - p) * (1 + (PER_PROMPT - 1) * shared))), UNIT, clustered=True)


def scores_by_prompt(rng: np.random.Generator, n: int) -> Array:
    return np.repeat(rng.exponential(1, n // PER_PROMPT), PER_PROMPT) + rng.normal(0, 1, n // PER_PROMPT * PER_PROMPT)


MEANS = (
    Law("normal", lambda rng, n: rng.normal(25, 4, n), 25.0, 4.0),
    Law("gamma 1.5", lambda rng, n: rng.gamma(1.5, 1.0, n), 1.5, float(np.sqrt(1.5)), (0.0, None)),
    lognormal(1.0),
    lognormal(1.5),
    beta(0.3, 12, "beta near 0"),
    beta(12, 0.3, "beta near 1"),
    zeros(0.8, "80 % zeros"),
    zeros(0.97, "97 % zeros"),
    likert((0.02, 0.03, 0.05, 0.2, 0.7), "Likert 1 to 5, most 5"),
    likert((0.1, 0.2, 0.4, 0.2, 0.1), "Likert 1 to 5, in the middle"),
    Law(
        "counts, overdispersed",
        lambda rng, n: rng.negative_binomial(0.3, 0.375, n) * 1.0,
        0.5,
        2 / np.sqrt(3),
        (0.0, None),
    ),
    share(0.02),
    share(0.1),
    share(0.7),
)
CLUSTERED = (
    verdicts_by_prompt(1.4, 0.6, "verdicts, four a prompt"),
    verdicts_by_prompt(1.94, 0.06, "verdicts of 0.97, four a prompt"),
    Law("scores, four a prompt", scores_by_prompt, 1.0, float(np.sqrt(4 + 1)), clustered=True),
)


@dataclass(frozen=True)
class Rate:
    """A corpus rate: edits of lines of 5 to 80 characters, most of which are perfect; others lose a beta(1, 6) share."""

    name: str
    perfect: float

    @property
    def mean(self) -> float:
        return (1 - self.perfect) / 7

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        lengths = rng.integers(5, 81, n)
        lost = rng.beta(1, 6, n) * (rng.random(n) >= self.perfect)
        return rng.binomial(lengths, lost).astype(float), lengths.astype(float)

    def oracle(self, n: int) -> float:
        """From a large draw, since edits and lengths go together."""
        edits, lengths = self.draw(np.random.default_rng(0), 400_000)
        apart = (edits - self.mean * lengths) / lengths.mean()
        return float(2 * 1.959964 * apart.std() / np.sqrt(n))


RATES = (Rate("CER, 90 % perfect", 0.9), Rate("CER, 98 % perfect", 0.98))


@dataclass(frozen=True)
class Pair:
    """Two systems on the same samples: `draw` gives both [n] and the prompts, or None."""

    name: str
    draw: Callable[[np.random.Generator, int], tuple[Array, Array, npt.NDArray[Any] | None]]
    difference: float
    range: Range = (None, None)

    def oracle(self, n: int) -> float:
        one, two, prompts = self.draw(np.random.default_rng(0), 400_000)
        apart = one - two
        if prompts is not None:
            apart = apart.reshape(-1, PER_PROMPT).mean(1)
            n = n // PER_PROMPT
        return float(2 * 1.959964 * apart.std() / np.sqrt(n))


def _verdicts(p: float, q: float, same: float) -> Callable[[np.random.Generator, int], tuple[Array, Array, None]]:
    def draw(rng: np.random.Generator, n: int) -> tuple[Array, Array, None]:
        one = rng.random(n)
        two = np.where(rng.random(n) < same, one, rng.random(n))
        return (one < p).astype(float), (two < q).astype(float), None

    return draw


def _by_prompt(rng: np.random.Generator, n: int) -> tuple[Array, Array, npt.NDArray[Any]]:
    chance = np.repeat(rng.beta(1.4, 0.6, n // PER_PROMPT), PER_PROMPT)
    one, two = rng.random(len(chance)) < chance, rng.random(len(chance)) < 0.9 * chance
    return one.astype(float), two.astype(float), np.repeat(np.arange(n // PER_PROMPT), PER_PROMPT)


def _rare_by_prompt(rng: np.random.Generator, n: int) -> tuple[Array, Array, npt.NDArray[Any]]:
    chance = np.repeat(rng.beta(9.7, 0.3, n // PER_PROMPT), PER_PROMPT)
    one, two = rng.random(len(chance)) < chance, rng.random(len(chance)) < chance
    return one.astype(float), two.astype(float), np.repeat(np.arange(n // PER_PROMPT), PER_PROMPT)


def _normal(rng: np.random.Generator, n: int) -> tuple[Array, Array, None]:
    hard = rng.normal(25, 4, n)
    return hard + rng.normal(0.2, 1, n), hard + rng.normal(0, 1, n), None


def _skewed(rng: np.random.Generator, n: int) -> tuple[Array, Array, None]:
    hard = rng.gamma(1.5, 1.0, n)
    return hard + rng.gamma(0.8, 0.5, n), hard, None


def _rarely(rng: np.random.Generator, n: int) -> tuple[Array, Array, None]:
    hard = rng.gamma(1.5, 1.0, n)
    return hard + rng.exponential(1, n) * (rng.random(n) < 0.1), hard, None


PAIRS = (
    Pair("normal", _normal, 0.2),
    Pair("skewed", _skewed, 0.4),
    Pair("one in ten differs", _rarely, 0.1),
    Pair("verdicts .98 and .97", _verdicts(0.98, 0.97, 0.0), 0.01, UNIT),
    Pair("verdicts .98 and .97, correlated", _verdicts(0.98, 0.97, 0.7), 0.01, UNIT),
    Pair("verdicts .5 and .48", _verdicts(0.5, 0.48, 0.0), 0.02, UNIT),
    Pair("verdicts .5 and .48, correlated", _verdicts(0.5, 0.48, 0.8), 0.02, UNIT),
    Pair("verdicts, four a prompt", _by_prompt, 0.07, UNIT),
    Pair("verdicts of 0.97, four a prompt", _rare_by_prompt, 0.0, UNIT),
)
APART = (
    Pair("normal", lambda rng, n: (rng.normal(25, 4, n), rng.normal(25, 2, n), None), 0.0),
    Pair("skewed", lambda rng, n: (rng.gamma(1.5, 1, n), rng.gamma(0.8, 0.5, n), None), 1.1),
    Pair("verdicts .98 and .97", _verdicts(0.98, 0.97, 0.0), 0.01, UNIT),
    Pair("verdicts .5 and .48", _verdicts(0.5, 0.48, 0.0), 0.02, UNIT),
)
