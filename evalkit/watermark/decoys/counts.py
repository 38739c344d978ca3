"""How many of an image's units are green under each of many keys, 64 keys in a word."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evalkit.watermark.sliced import WORDS, added

Ints = npt.NDArray[np.int64]


def counted(rows: Ints, table: npt.NDArray[np.uint64], keys: int) -> Ints:
    """int64 [B, keys]: sums over the rows [B, n] of a table [U + 1, W] whose last row, for padding, is zero."""
    step = max(1, WORDS // (table.shape[1] * max(rows.shape[1], 1)))
    parts = [_part(rows[start : start + step], table, keys) for start in range(0, len(rows), step)]
    return np.concatenate(parts) if parts else np.zeros((0, keys), np.int64)


def _part(rows: Ints, table: npt.NDArray[np.uint64], keys: int) -> Ints:
    used = (rows != len(table) - 1).any(0)  # rows of parts of an image are mostly padding
    used[:1] = True
    rows, found = rows[:, used], np.zeros((len(rows), keys), np.uint16)
    for place, digit in enumerate(added(table[rows.T], [])):
        bits = np.unpackbits(digit.astype("<u8", copy=False).view(np.uint8), axis=1, bitorder="little")[:, :keys]
        found += bits.astype(np.uint16) << np.uint16(place)
    return found.astype(np.int64)
