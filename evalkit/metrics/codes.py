"""How much of a codebook a set of images uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.metrics.base import Estimate
from evalkit.metrics.metric import Metric, Parts, everywhere


def used_share(counts: npt.NDArray[Any]) -> float:
    """Share of the vocabulary that occurs at least once; `counts` [vocabulary].

    >>> used_share(np.array([3, 0, 1, 0]))
    0.5
    """
    return float((counts > 0).mean())


def perplexity(counts: npt.NDArray[Any]) -> float:
    """exp of the entropy of the code frequencies: the number of codes that a uniform user would use.

    >>> round(perplexity(np.array([5, 5, 5, 5])), 6)
    4.0
    """
    p = counts[counts > 0].astype(np.float64)
    p /= p.sum()
    return float(np.exp(-(p * np.log(p)).sum()))


@dataclass(frozen=True)
class CodeUse:
    """A number of the code counts of a whole set; it grows with the set, so no interval is stated."""

    of: Callable[[npt.NDArray[Any]], float]

    def __call__(self, parts: Parts) -> Estimate | None:
        """The estimate; None where the model has no codes that are counted."""
        counts = parts.counts
        if counts is None or not counts.sum():
            return None
        method = f"whole set, no interval: grows with the number of images ({int(counts.sum())} codes)"
        return Estimate(self.of(counts), None, None, parts.rows.num_rows, method)


CODES_USED = Metric(
    name="codes_used",
    label="Codebook use",
    title="share of the codebook that occurs",
    better="higher",
    low=0.0,
    high=1.0,
    level="set",
    task="codes",
    aggregate=CodeUse(used_share),
    under=everywhere,
    shown=frozenset(),
)
CODE_PERPLEXITY = Metric(
    name="code_perplexity",
    label="Code perplexity",
    title="exp of the entropy of the code frequencies",
    unit="codes",
    better="higher",
    low=1.0,
    level="set",
    task="codes",
    aggregate=CodeUse(perplexity),
    under=everywhere,
    shown=frozenset(),
)
DECLARED = (CODES_USED, CODE_PERPLEXITY)
