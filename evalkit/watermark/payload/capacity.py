"""How long a message an image carries, before anything is generated.

With D data coins of which a share eps is read back as the other colour, the word error of the best decoder of a random
code of k bits is at most sum over t of P[Bin(D, eps) = t] min(1, (2^k - 1) P[Bin(D, 1/2) <= t]) (the random-coding
union bound; Polyanskiy, Poor and Verdu 2010, theorem 16). The code of `payload.trellis` is random within a band, and
comes near it. Presence is found by the pilots or by the best message, whichever is likelier: a lower bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binom

from evalkit.errors import EvalkitError
from evalkit.watermark.payload.fields import LEAST_BITS, MOST_BITS
from evalkit.watermark.power import MOST, MarkPlan, power

PILOT = 4  # one coin of so many says that a message is there


@dataclass(frozen=True)
class MessageRow:
    """A plan's chances with `codes` distinct codes: that a message is seen to be there, and that it is read rightly.

    `needed`: the codes from which on it is read with the wanted chance; None where there is no such number.
    """

    plan: MarkPlan
    bits: int
    codes: int
    present: float
    read: float
    needed: int | None


def read_chance(bits: int, codes: int, green: float) -> float:
    """Chance, at least, that the best decoder reads a message of `bits` from `codes` coins, a quarter of them pilots.

    `green`: chance that a coin is read back as it was meant.

    >>> round(read_chance(16, 64, 0.9), 3)
    0.959
    """
    data = codes - codes // PILOT
    wrong = np.arange(data + 1)
    others = np.minimum(1.0, 2.0**bits * binom.cdf(wrong, data, 0.5))
    return float(1 - (binom.pmf(wrong, data, 1 - green) * others).sum())


def message_table(plans: Sequence[MarkPlan], bits: int, codes: int, wanted: float = 0.9) -> list[MessageRow]:
    """A row a plan of gamma 1/2 and one list; raises `EvalkitError` for others, and where bits are none of a message."""
    if not LEAST_BITS <= bits <= MOST_BITS:
        raise EvalkitError(f"a message has {LEAST_BITS} to {MOST_BITS} bits; {bits} given")
    if any(plan.gamma != 0.5 or plan.lists != 1 for plan in plans):
        raise EvalkitError("messages are carried with gamma 0.5 and one list. Leave out --gamma and --lists")
    return [
        MessageRow(
            plan,
            bits,
            codes,
            _present(plan, bits, codes),
            read_chance(bits, codes, plan.green),
            _needed(plan, bits, wanted),
        )
        for plan in plans
    ]


def _present(plan: MarkPlan, bits: int, codes: int) -> float:
    by_pilots = power(replace(plan, lists=2), codes // PILOT)
    by_message = power(replace(plan, lists=2 << bits), codes)
    return float(max(by_pilots, by_message))


def _needed(plan: MarkPlan, bits: int, wanted: float) -> int | None:
    """By halving: more codes never make a message harder to read."""
    high = bits
    while read_chance(bits, high, plan.green) < wanted:
        high *= 2
        if high > min(MOST, 2**16):
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if read_chance(bits, middle, plan.green) >= wanted else (middle, high)
    return high
