"""How much of a codebook a set of images uses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.metrics.base import Estimate


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


def code_use(counts: npt.NDArray[Any], pictures: int) -> dict[str, Estimate]:
    """`codes_used` and `code_perplexity` of a whole set; both grow with the set, so no interval is stated."""
    method = f"whole set, no interval: grows with the number of images ({int(counts.sum())} codes)"
    return {
        "codes_used": Estimate(used_share(counts), None, None, pictures, method),
        "code_perplexity": Estimate(perplexity(counts), None, None, pictures, method),
    }
