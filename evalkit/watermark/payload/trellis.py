"""The code that carries a message: each coin is the parity of random bits of one window of the message.

A message of k bits has windows of 16 that follow each other every 4 bits. A coin belongs to one window and to a random
choice of its bits, and shows their parity: a random linear code with a band. So the number of coins need not be known
when images are marked, and any coins may be lost. For one window, the agreement of the coins with all 65,536 values is a
product of two small matrices. The best message over all windows is found by dynamic programming (Viterbi 1967), and the
sum over all messages by the same recursion with sums (Bahl et al. 1974). Both are exact. Windows at the ends get three
times the coins, because their outer bits belong to no other window. Measured, its word errors are those of the
random-coding bound from 0.05 on; far below, the band shows (`benchmarks/tables/watermark_payload.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.watermark.payload.fields import STEP

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Metrics = Sequence[npt.NDArray[np.float32]]
SPAN, LOW = 16, 8  # bits of a window, and those of its lower half
ENDS = 3.0  # times the coins of an inner window


@dataclass(frozen=True)
class Trellis:
    """The windows of a message of `bits`, a multiple of 4 from 8 to 64."""

    bits: int

    @property
    def span(self) -> int:
        """Bits of a window."""
        return min(SPAN, self.bits)

    @property
    def shifts(self) -> Ints:
        """How far each window lies above the lowest bit; the first window holds the highest bits."""
        return np.arange(self.bits - self.span, -1, -STEP)

    def windows(self, uniform: npt.ArrayLike) -> Ints:
        """The window of coins by numbers that are uniform on [0, 1)."""
        shares = np.ones(len(self.shifts))
        if len(shares) > 1:
            shares[[0, -1]] = ENDS
        return np.searchsorted(np.cumsum(shares)[:-1] / shares.sum(), np.asarray(uniform), side="right")

    def metrics(self, windows: Ints, masks: Ints, signs: Ints) -> Metrics:
        """Per window float32 [2^span]: coins that agree minus coins that do not, for every value of the window.

        `masks` are of the window's bits, `signs` 1 where a coin shows parity 0 and -1 where it shows 1.
        """
        table, high = _parities(), 1 << (self.span - LOW)
        found = []
        for window in range(len(self.shifts)):
            here = windows == window
            upper, lower = masks[here] >> LOW, masks[here] & ((1 << LOW) - 1)
            sums = table[:high, upper] @ (table[lower] * signs[here, None].astype(np.float32))
            found.append(sums.ravel())
        return found


@cache
def _parities() -> npt.NDArray[np.float32]:
    """float32 [256, 256]: 1 where two bytes share an even number of ones, else -1."""
    byte = np.arange(1 << LOW)
    odd = (np.bitwise_count(byte[:, None] & byte) & 1).astype(np.float32)
    signs: npt.NDArray[np.float32] = 1 - 2 * odd
    return signs


def best_message(metrics: Metrics) -> tuple[int, int]:
    """(message, agreeing minus other coins): the message whose sum over all windows is largest."""
    best, back = metrics[0], []
    for metric in metrics[1:]:
        leaving = best.reshape(1 << STEP, -1)
        back.append(leaving.argmax(0))
        best = _entered(leaving.max(0), metric, np.add)
    window = int(best.argmax())
    message, above, span = window, int(best.size).bit_length() - 1, int(best.size).bit_length() - 1
    for choice in reversed(back):
        left = int(choice[window >> STEP])
        window = (left << (span - STEP)) | (window >> STEP)
        message |= left << above
        above += STEP
    return message, round(float(best.max()))


def log_sum(metrics: Metrics, slope: float) -> float:
    """log of the sum of exp(slope * agreement) over all messages."""
    total, scale = np.ones(metrics[0].size), 0.0
    for number, metric in enumerate(metrics):
        top = float(metric.max())
        weights = np.exp(slope * (metric.astype(np.float64) - top))
        total = weights if not number else _entered(total.reshape(1 << STEP, -1).sum(0), weights, np.multiply)
        peak = float(total.max())
        total, scale = total / peak, scale + slope * top + np.log(peak)
    return float(scale + np.log(total.sum()))


def agreement(trellis: Trellis, metrics: Metrics, messages: npt.NDArray[np.uint64]) -> npt.NDArray[np.float32]:
    """float32 [C]: agreeing minus other coins under each of the messages."""
    found = np.zeros(len(messages), np.float32)
    low = np.uint64((1 << trellis.span) - 1)
    for shift, metric in zip(trellis.shifts, metrics, strict=True):
        found += metric[((messages >> np.uint64(shift)) & low).astype(np.int64)]
    return found


def _entered(before: npt.NDArray[Any], metric: npt.NDArray[Any], join: np.ufunc) -> npt.NDArray[Any]:
    """What came before, by the bits that stay, joined with the next window's values."""
    found: npt.NDArray[Any] = join(before[:, None], metric.reshape(-1, 1 << STEP)).ravel()
    return found
