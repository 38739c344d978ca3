"""Tournaments, after SynthID-Text (Dathathri et al., Nature 2024): codes meet in pairs, layer after layer.

In each layer a code has a secret bit; of two codes drawn from the distribution so far the one with the larger bit goes on,
a coin decides between equals. With all pairs at once that is p(v) (1 + g(v) - sum of p g), and over random bits nothing
changes. Early layers leave more of a trace, so their bits count more, from 10 down to 1. The sum of weighted fair coins
has an exact tail.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from evalkit.watermark.exact import SMALLEST
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Colours, Mark
from evalkit.watermark.methods.drawn import DrawnMark, Floats, Ints, Numbers
from evalkit.watermark.methods.subject import Subject
from evalkit.watermark.spec import MarkSpec

FIRST, LAST = 10, 1  # weights of the first and of the last layer


class Tournament(DrawnMark):
    """`layers` weighted coins a context; a code's bits are the highest of its number."""

    def __init__(self, spec: MarkSpec, key: Key, tokenizer: str, vocabulary: int) -> None:
        super().__init__(spec, key, tokenizer, vocabulary)
        self.weights = tuple(np.linspace(FIRST, LAST, spec.layers or 1).round().astype(int).tolist())

    def law(self, law: Floats, numbers: Numbers) -> Floats:
        """One layer after the other."""
        found: Floats = law / law.sum()
        for bit in self._bits(numbers).T:
            found = found * (1 + bit - found @ bit)
        return found

    def values(self, rows: Numbers, codes: Ints) -> tuple[Floats, Colours]:
        """The weighted bits, and whether they are more than half."""
        values = self.worth(rows[np.arange(len(codes)), codes])
        return values, values > sum(self.weights) / 2

    def worth(self, numbers: Numbers) -> Floats:
        """The weighted bits, 16 at a time."""
        found = np.zeros(numbers.shape)
        for part, table in enumerate(_tables(self.weights)):
            found += table[(numbers >> np.uint64(48 - 16 * part)) & np.uint64(0xFFFF)]
        return found

    def log_tail(self, total: float, count: int) -> float:
        """Of the sum of all coins; what a double cannot hold is given as too large."""
        pmf = _sum_of(self.weights, count)
        return float(np.log(max(pmf[round(total) :].sum(), SMALLEST * len(pmf))))

    def log_floor(self, count: int) -> float:
        """All bits one."""
        return max(-count * len(self.weights) * math.log(2), math.log(SMALLEST))

    def _bits(self, numbers: Numbers) -> Floats:
        """float64 [U, layers]."""
        shifts = np.arange(63, 63 - len(self.weights), -1).astype(np.uint64)
        return ((numbers[:, None] >> shifts) & np.uint64(1)).astype(np.float64)


@lru_cache(maxsize=16)
def _tables(weights: tuple[int, ...]) -> tuple[Floats, ...]:
    """What each 16 bits are worth [65536], the highest first."""
    every = (np.arange(2**16)[:, None] >> np.arange(15, -1, -1) & 1).astype(np.float64)
    padded = np.pad(weights, (0, -len(weights) % 16)).reshape(-1, 16)
    return tuple(every @ each for each in padded)


@lru_cache(maxsize=256)
def _sum_of(weights: tuple[int, ...], count: int) -> Floats:
    """The distribution of the sum over `count` contexts, doubled and added up."""
    if count == 1:
        pmf = np.ones(1)
        for weight in weights:
            coin = np.zeros(weight + 1)
            coin[[0, weight]] = 0.5
            pmf = np.convolve(pmf, coin)
        return pmf
    half = _sum_of(weights, count // 2)
    both = np.convolve(half, half)
    return both if count % 2 == 0 else np.convolve(both, _sum_of(weights, 1))


def tournament(spec: MarkSpec, key: Key, subject: Subject) -> Mark:
    """The mark on the codes of `subject`."""
    return Tournament(spec, key, subject.tokenizer, subject.indices("tournament"))
