"""Scores of codes under many decoy keys at once, by the kind of coin that a method tosses.

Every family gives what `Mark.evidence` is for the real key, so that the two are compared as they are. Lists of codes are
tables; colours that depend on the place or on the code before are computed unit by unit; patterns of bits are one product;
secret numbers of drawing methods are tables of the units that occur, a few keys at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from evalkit.errors import EvalkitError
from evalkit.watermark.decoys.base import Decoys
from evalkit.watermark.decoys.coins import Coins
from evalkit.watermark.decoys.counts import counted
from evalkit.watermark.decoys.messages import MessageDecoys
from evalkit.watermark.keys import Key
from evalkit.watermark.lists import Pool, grouped_pool
from evalkit.watermark.mark import Codes, LexicalBias, Mark
from evalkit.watermark.methods.bitmark import BitPatterns
from evalkit.watermark.methods.contexts import ContextMark
from evalkit.watermark.methods.drawn import DrawnMark
from evalkit.watermark.methods.payload import PayloadMark
from evalkit.watermark.methods.places import Places
from evalkit.watermark.methods.several import Several
from evalkit.watermark.score import copies_of, first_counts
from evalkit.watermark.sliced import sliced

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
TABLE = 2**23  # words of a table that is held
ROWS = 2**21  # words of codes that are counted at once
DRAWN_CELLS = 2**21  # secret numbers that are held at once
DRAWN = 64  # lists of a balanced pool beyond which decoys draw independent ones: their scores differ by too little


def decoys_of(mark: Mark, keys: int, seed: str) -> Decoys:
    """The decoys of a mark that `seed` draws; raises `EvalkitError` for methods that have none."""
    if isinstance(mark, Several):
        return _Best([decoys_of(each, keys, f"{seed}/{number}") for number, each in enumerate(mark.marks)])
    if isinstance(mark, BitPatterns):
        return _Bits(mark, keys, seed)
    if isinstance(mark, PayloadMark):
        return MessageDecoys(mark, keys, seed)
    if isinstance(mark, DrawnMark):
        return _Drawn(mark, keys, seed)
    if isinstance(mark, Places) or (isinstance(mark, ContextMark) and mark.context):
        return _Units(mark, keys, seed)
    if isinstance(mark, LexicalBias | ContextMark):
        return _Lists(mark, keys, seed)
    raise EvalkitError(f"the method {mark.method} has no decoy keys; give --decoys 0, and --calibration FILE")


def decoy_key(seed: str, number: int) -> Key:
    """Decoy number `number`: anybody can derive it, and it never marked an image."""
    return Key(hashlib.sha256(f"evalkit-decoy/1\0{seed}\0{number}".encode()).digest())


class _Best(Decoys):
    """Marks that are looked for together: the largest score of each decoy."""

    def __init__(self, members: Sequence[Decoys]) -> None:
        self.members, self.keys, self.most = members, members[0].keys, members[0].most

    def scores(self, codes: Codes) -> Ints:
        """The largest over the marks."""
        best: Ints = np.max([each.scores(codes) for each in self.members], axis=0)
        return best


class _Lists(Decoys):
    """Fixed lists of codes, or of clusters of codes: a code that occurs counts min(times, cap)."""

    def __init__(self, mark: LexicalBias | ContextMark, keys: int, seed: str) -> None:
        self.mark, self.keys, self.seed, self.lists = mark, keys, seed, mark.lists
        self.cap = mark.cap if isinstance(mark, LexicalBias) else 1
        self.pool: Pool | None = mark.pool if isinstance(mark, LexicalBias) else None
        self.vocabulary = mark.pool.vocabulary if isinstance(mark, LexicalBias) else mark.vocabulary
        kind = self.pool.scheme.kind if self.pool else "exact"
        share = mark.pool.scheme.gamma if isinstance(mark, LexicalBias) else mark.gamma
        coins = Coins(share, seed)
        even = kind == "balanced" and self.lists <= DRAWN
        self.balanced = coins if even else None
        self.coins = coins if kind in ("independent", "balanced") and not even else None
        self.paired = kind == "paired"
        fitting = TABLE // (self.lists * (self.vocabulary + 1)) * 64
        self.step = min(keys, max(64, fitting))  # keys of a table, in whole words where there are several tables
        self._kept: tuple[int, Words] | None = None

    def scores(self, codes: Codes) -> Ints:
        """Counts in the table of each block of keys; the greenest list of each key."""
        rows = self._rows(codes)
        parts = []
        for start in range(0, self.keys, self.step):
            keys = min(self.step, self.keys - start)
            found = counted(rows, self._table(start, keys), keys * self.lists)
            parts.append(found.reshape(len(codes), keys, self.lists).max(2) if self.lists > 1 else found)
        return np.concatenate(parts, axis=1)

    def _rows(self, codes: Codes) -> Ints:
        """The codes that count, at the front of their rows; the size of the vocabulary is padding."""
        kinds = codes if self.paired or self.pool is None else self.mark_units(codes)
        ordered = np.sort(np.where(kinds < 0, self.vocabulary, kinds).astype(np.int64), axis=1)
        scored, _ = copies_of(ordered, first_counts(ordered, self.vocabulary), self.vocabulary, self.cap)
        return scored

    def mark_units(self, codes: Codes) -> Ints:
        """The cluster of each code; the code itself where there are none."""
        return np.asarray(self.mark.units(codes.ravel()), np.int64).reshape(codes.shape)

    def _table(self, start: int, keys: int) -> Words:
        if self._kept is not None and self._kept[0] == start:
            return self._kept[1]
        if self.balanced is not None:
            blocks = range(start, start + keys, 64)
            masks = [
                self.balanced.balanced(self.vocabulary, at, min(64, start + keys - at), self.lists) for at in blocks
            ]
            table = np.concatenate([sliced(each) for each in masks], axis=1)
        elif self.coins is not None:
            table = np.zeros((self.vocabulary + 1, -(-keys * self.lists // 64)), np.uint64)
            table[:-1] = self.coins.words(np.arange(self.vocabulary), start * self.lists // 64, table.shape[1])
        else:
            drawn = [self._masks(decoy_key(self.seed, number)) for number in range(start, start + keys)]
            table = sliced(np.concatenate(drawn))
        self._kept = start, table
        return table

    def _masks(self, key: Key) -> npt.NDArray[np.bool_]:
        """bool [lists, V] of one decoy, drawn as the real ones are."""
        if self.pool is None:
            mark: ContextMark = self.mark  # type: ignore[assignment]
            return ContextMark(mark.spec, key, mark.tokenizer, mark.strata).list_after(-1)[None]
        scheme, tokenizer = self.pool.scheme, self.mark.tokenizer
        if self.paired:
            return grouped_pool(key, tokenizer, scheme, np.argsort(self.pool.units, kind="stable")).masks
        raise EvalkitError(f"lists of the kind {scheme.kind} have no decoys; give --decoys 0")


class _Units(Decoys):
    """Codes at their places, or behind the code before: each distinct unit is a coin of the method's share.

    Lists behind a code before have an exact size, their decoys' coins are independent: the decoys scatter a little more,
    so that ranks among them are a little too large.
    """

    def __init__(self, mark: Places | ContextMark, keys: int, seed: str) -> None:
        self.mark, self.keys, self.coins = mark, keys, Coins(mark.gamma, seed)

    def scores(self, codes: Codes) -> Ints:
        """Counts of green units, a few images at a time."""
        words = -(-self.keys // 64)
        step = max(1, ROWS // (words * max(codes.shape[1], 1)))
        found = [self._part(codes[start : start + step], words) for start in range(0, len(codes), step)]
        return np.concatenate(found) if found else np.zeros((0, self.keys), np.int64)

    def _part(self, codes: Codes, words: int) -> Ints:
        units = np.sort(np.stack([self.mark.units(row) for row in codes]), axis=1)
        fresh = units >= 0
        fresh[:, 1:] &= units[:, 1:] != units[:, :-1]
        kinds, at = np.unique(np.where(fresh, units, -1), return_inverse=True)
        table = np.zeros((len(kinds) + 1, words), np.uint64)
        table[:-1] = self.coins.words(np.maximum(kinds, 0), 0, words)
        rows = np.where(fresh, at.reshape(units.shape), len(kinds))
        return counted(rows, table, self.keys)


class _Drawn(Decoys):
    """Secret numbers of codes in their contexts: what the first code of each context says, summed; the best list's."""

    most = 2**9  # weights of 64 layers; the largest exponential is 44

    def __init__(self, mark: DrawnMark, keys: int, seed: str) -> None:
        self.mark, self.keys, self.lists, self.coins = mark, keys, mark.lists, Coins(0.5, seed)

    def scores(self, codes: Codes) -> Ints:
        """Sums over units, a few keys at a time."""
        units = [self.mark.units(row) for row in codes]
        units = [each[each >= 0] for each in units]
        kinds, at = np.unique(np.concatenate([*units, np.zeros(0, np.int64)]), return_inverse=True)
        ends = np.cumsum([0, *map(len, units)])
        held = csr_array((np.ones(len(at)), at, ends), shape=(len(units), len(kinds)))
        step = max(1, DRAWN_CELLS // (max(len(kinds), 1) * self.lists))
        parts = [self._part(held, kinds, start, min(step, self.keys - start)) for start in range(0, self.keys, step)]
        return np.concatenate(parts, axis=1)

    def _part(self, held: csr_array, kinds: Ints, start: int, keys: int) -> Ints:
        numbers = self.coins.numbers(kinds, start * self.lists, keys * self.lists)
        sums = np.asarray(held @ self.mark.worth(numbers)).reshape(held.shape[0], keys, self.lists)
        best: Ints = np.rint(sums.max(2)).astype(np.int64)
        return best


class _Bits(Decoys):
    """Patterns of bits: ones less zeros of each place, times plus or minus one by the decoy."""

    def __init__(self, mark: BitPatterns, keys: int, seed: str) -> None:
        self.mark, self.keys, self.lists = mark, keys, mark.lists
        columns = keys * mark.lists
        words = Coins(0.5, seed).words(np.arange(mark.places), 0, -(-columns // 64))
        wants = np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, bitorder="little")[:, :columns]
        self.signs = 2.0 * wants - 1.0

    def scores(self, codes: Codes) -> Ints:
        """The weights of the places whose wish is met, of the best list."""
        lean = self.mark.leans(codes)
        met = (np.abs(lean).sum(1)[:, None] + lean @ self.signs) / 2
        found = np.rint(met).astype(np.int64)
        best: Ints = found.reshape(len(codes), self.keys, self.lists).max(2)
        return best
