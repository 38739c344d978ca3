"""Green codes of many images under all lists of a pool at once: 64 lists in a machine word, added bit by bit.

A code's row holds one bit a list. Three rows are added to a sum and a carry by five bit operations (a full adder), so a
image's rows shrink to one row for each binary digit of its counts; the largest count and its list are read off these
digits from the highest on. Nothing of the size images x lists ever exists.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
WORDS = 2**19  # of rows that are added at once: 4 MB, which stay near the processor


def sliced(masks: npt.NDArray[np.bool_]) -> Words:
    """uint64 [V + 1, W]: the lists [m, V] of every code as bits; the last row, for padding, is zero."""
    lists, vocabulary = masks.shape
    rows = np.zeros((vocabulary + 1, -(-lists // 64) * 8), np.uint8)
    rows[:-1, : -(-lists // 8)] = np.packbits(masks.T, axis=1, bitorder="little")
    return rows.view("<u8").astype(np.uint64, copy=False)


def greenest(scored: Ints, beyond: Ints, table: Words, lists: int) -> tuple[Ints, Ints, Ints]:
    """(list [B], score [B], most [B]) of images.

    The score is the largest number of green codes among `scored` [B, n] over the lists, and the list the first that has
    it; `most` is the largest number among `scored` and `beyond` [B, n'] together. Both hold rows of `table`, whose last
    one counts nothing.
    """
    columns = scored.shape[1] + beyond.shape[1]
    step = max(1, WORDS // (table.shape[1] * max(columns, 1)))

    def part(start: int) -> tuple[Ints, Ints, Ints]:
        some = slice(start, start + step)
        digits = added(table[scored[some].T], [])
        best, score = _largest(digits, lists)
        if not beyond.shape[1]:
            return best, score, score
        return best, score, _largest(added(table[beyond[some].T], digits), lists)[1]

    starts = range(0, max(len(scored), 1), step)
    threads = min(len(starts), _threads())
    if threads == 1:
        parts = [part(start) for start in starts]
    else:
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(part, starts))
    best, score, most = (np.concatenate([each[k] for each in parts]) for k in range(3))
    return best, score, most


def _threads() -> int:
    """As many as torch uses, which is not loaded to find out."""
    torch = sys.modules.get("torch")
    return os.cpu_count() or 1 if torch is None else int(torch.get_num_threads())


def added(rows: Words, before: Sequence[Words]) -> list[Words]:
    """Binary digits [B, W], lowest first, of the sum of rows [n, B, W] and of the digits `before`; rows are overwritten."""
    digits: list[Words] = []
    waiting = [rows]
    while waiting or len(digits) < len(before):
        if len(digits) < len(before):
            waiting.append(before[len(digits)][None])
        rows = np.concatenate(waiting) if len(waiting) > 1 else waiting[0]
        waiting = []
        while (third := len(rows) // 3) > 0:
            a, b, c = rows[:third], rows[third : 2 * third], rows[2 * third : 3 * third]
            carry = a & b
            a ^= b
            np.bitwise_and(a, c, out=b)
            carry |= b
            a ^= c
            left = len(rows) - 3 * third
            rows[third : third + left] = rows[3 * third :]
            rows = rows[: third + left]
            waiting.append(carry)
        if len(rows) == 2:
            waiting.append(rows[:1] & rows[1:])
            rows[0] ^= rows[1]
        digits.append(rows[0] if len(rows) else np.zeros(rows.shape[1:], np.uint64))
    return digits


def _largest(digits: Sequence[Words], lists: int) -> tuple[Ints, Ints]:
    """(first list that has it [B], largest sum [B]) of binary digits [B, W]."""
    images, words = digits[0].shape
    left = np.zeros(words * 64, bool)
    left[:lists] = True
    candidates = np.tile(np.packbits(left, bitorder="little").view("<u8").astype(np.uint64), (images, 1))
    largest = np.zeros(images, np.int64)
    for digit in reversed(digits):
        having = candidates & digit
        some = np.asarray(having.any(axis=1))
        np.copyto(candidates, having, where=some[:, None])
        largest = 2 * largest + some
    word = (candidates != 0).argmax(axis=1)
    bits = candidates[np.arange(images), word]
    lowest = np.bitwise_count((bits & (~bits + np.uint64(1))) - np.uint64(1))
    return word * 64 + lowest.astype(np.int64), largest
