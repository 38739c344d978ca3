"""Colours of decoy keys: 64 keys in a machine word, each bit a coin that depends on the key, the unit and a seed.

A decoy guards no secret, so its coins come from a mixing function (splitmix64) instead of HMAC and SHAKE-256: millions of
units cost a second instead of hours.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
DIGITS = 16  # binary digits of a share
STEP, FIRST, SECOND = (np.uint64(each) for each in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


@dataclass(frozen=True)
class Coins:
    """Coins of share `share` (kept to 16 binary digits) that `seed` draws."""

    share: float
    seed: str

    def words(self, units: npt.NDArray[Any], start: int, count: int) -> Words:
        """uint64 [*units, count]: the colours of units (whole numbers from 0) under keys 64 start to 64 (start + count)."""
        tops = max(1, min(2**DIGITS - 1, round(self.share * 2**DIGITS)))
        digits = f"{tops:0{DIGITS}b}".rstrip("0")[::-1]  # lowest first
        unit = _mixed(np.asarray(units).astype(np.uint64)[..., None] * STEP + self._number)
        found = np.zeros((*np.shape(units), count), np.uint64)
        for place, digit in enumerate(digits):
            salt = _mixed(np.arange(start, start + count, dtype=np.uint64) * np.uint64(2 * DIGITS) + np.uint64(place))
            fresh = _mixed(unit ^ salt)
            found = fresh | found if digit == "1" else fresh & found
        return found

    def numbers(self, units: npt.NDArray[Any], start: int, count: int) -> Words:
        """uint64 [*units, count]: secret numbers of units under keys start to start + count, uniform on 64 bits."""
        unit = _mixed(np.asarray(units).astype(np.uint64)[..., None] * STEP + self._number)
        return _mixed(unit ^ _mixed(np.arange(start, start + count, dtype=np.uint64)))

    def balanced(self, units: int, start: int, keys: int, lists: int) -> npt.NDArray[np.bool_]:
        """bool [keys * lists, units]: lists of `keys` keys from `start` on (a multiple of 4), each unit green in exactly
        share * lists of the lists of a key.
        """
        green = round(self.share * lists)
        left = np.full((keys, units), green, np.uint32)  # lists that are still to be green
        found = np.zeros((keys, lists, units), bool)
        for place in range(lists):
            words = Coins(0.5, f"{self.seed}/{place}").words(np.arange(units), start // 4, -(-keys // 4))
            draws = words.view(np.uint16)[:, :keys].T.astype(np.uint32)
            chosen = draws * np.uint32(lists - place) < left << np.uint32(16)
            found[:, place], left = chosen, left - chosen
        return found.reshape(keys * lists, units)

    @property
    def _number(self) -> np.uint64:
        return np.uint64(int.from_bytes(hashlib.sha256(self.seed.encode()).digest()[:8], "big"))


def _mixed(values: Words) -> Words:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014); wraps around as unsigned numbers do."""
    with np.errstate(over="ignore"):
        values = values + STEP
        values = (values ^ (values >> np.uint64(30))) * FIRST
        values = (values ^ (values >> np.uint64(27))) * SECOND
        mixed: Words = values ^ (values >> np.uint64(31))
    return mixed
