"""Re-tokenization consistency: which codes of an image return when its reconstruction is encoded again.

It bounds what any watermark in the codes can reach: a code that does not survive an 8-bit file carries no mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.metrics.aggregate import MeanOf
from evalkit.metrics.metric import Metric, everywhere, floats

Values = npt.NDArray[Any]
Shares = npt.NDArray[np.float64]


def agreement(a: Values, b: Values) -> list[float]:
    """Share of equal codes per image of indices [B, N] and [B, M], -1 where there is none, or of bits [B, N, K] each.

    A code that only one side has counts as different.

    >>> agreement(np.array([[1, 2, 3, -1]]), np.array([[1, 9]]))
    [0.3333333333333333]
    """
    if a.ndim == 3:
        return [float(same) for same in (a == b).reshape(len(a), -1).mean(1)]
    width = max(a.shape[1], b.shape[1])
    x, y = (np.pad(each, ((0, 0), (0, width - each.shape[1])), constant_values=-1) for each in (a, b))
    present = (x >= 0) | (y >= 0)
    shares = ((x == y) & present).sum(1) / np.maximum(present.sum(1), 1)
    return [float(share) for share in shares]


def agreement_by_scale(a: Values, b: Values, lengths: Sequence[int]) -> Shares:
    """Shares of equal codes in each scale, [B, scales]; `lengths` are the numbers of codes of the scales."""
    same = (a == b).astype(np.float64)
    same = same if same.ndim == 2 else same.mean(2)
    return np.stack([part.mean(1) for part in np.split(same, np.cumsum(lengths)[:-1], axis=1)], 1)


def agreement_by_bit(a: Values, b: Values, bits: int | None = None) -> Shares:
    """Shares of equal values of each bit, [B, K], of bits [B, N, K] or of indices [B, N] with `bits` binary digits."""
    if bits is not None:
        a, b = ((each[..., None] >> np.arange(bits)) & 1 for each in (a, b))
    return np.asarray((a == b).mean(1), np.float64)


def _declared(name: str, label: str, title: str) -> Metric:
    return Metric(
        name=name,
        label=label,
        title=title,
        better="higher",
        low=0.0,
        high=1.0,
        level="sample",
        task="survival",
        columns=floats(name),
        aggregate=MeanOf(name, empty="continuous codes have no identity that could survive"),
        under=everywhere,
        shown=frozenset(),
    )


EXACT = _declared(
    "survival_exact", "Survival, exact pixels", "share of codes that return from the decoder's own numbers"
)
ROUNDED = _declared("survival_8bit", "Survival, 8-bit file", "share of codes that return after 8-bit rounding")
JPEG75 = _declared("survival_jpeg75", "Survival, JPEG 75", "share of codes that return after JPEG 75")
DECLARED = (EXACT, ROUNDED, JPEG75)
