"""Gumbel-max: the code with the largest log(u) / p is drawn, u being its secret number (Aaronson 2022, for text).

The code is decided by key, list and context alone, so images of one prompt and list begin alike; the pool is how many
different images a prompt can have. The score adds -log(1 - u) of the codes: exponential under a random key, so the sum
has a gamma distribution.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import gamma

from evalkit.watermark.exact import SMALLEST
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Colours, Mark
from evalkit.watermark.methods.drawn import DrawnMark, Floats, Ints, Numbers
from evalkit.watermark.methods.subject import Subject
from evalkit.watermark.spec import MarkSpec

UNIT = 2.0**-64


class Gumbel(DrawnMark):
    """Exponential values."""

    def law(self, law: Floats, numbers: Numbers) -> Floats:
        """All on one code."""
        waits = -np.log((numbers.astype(np.float64) + 0.5) * UNIT)
        with np.errstate(divide="ignore"):
            found = np.zeros(len(law))
            found[np.argmin(np.where(law > 0, waits / law, np.inf))] = 1.0
        return found

    def values(self, rows: Numbers, codes: Ints) -> tuple[Floats, Colours]:
        """-log(1 - u), and whether u is above 1/2."""
        numbers = rows[np.arange(len(codes)), codes]
        return self.worth(numbers), numbers >> np.uint64(63) == 1

    def worth(self, numbers: Numbers) -> Floats:
        """-log(1 - u)."""
        found: Floats = -np.log(((~numbers).astype(np.float64) + 0.5) * UNIT)
        return found

    def log_tail(self, total: float, count: int) -> float:
        """Of the gamma distribution; what a double cannot hold is given as too large."""
        return float(np.log(max(gamma.sf(total, count), SMALLEST)))

    def log_floor(self, count: int) -> float:
        """That of the largest numbers there are."""
        return self.log_tail(-np.log(0.5 * UNIT) * count, count)


def gumbel(spec: MarkSpec, key: Key, subject: Subject) -> Mark:
    """The mark on the codes of `subject`."""
    return Gumbel(spec, key, subject.tokenizer, subject.indices("gumbel"))
