"""The k nearest features of a set, exactly, for sets of any size: coarse products propose, float64 decides."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.metrics.neighbours import (
    TILE,
    Coarse,
    Entries,
    bounds,
    bounds_in_tile,
    exact,
    least_entry,
    prepare,
    products,
)
from evalkit.metrics.rows import Array, Index, Rows, checked_pair

_CROWD = 500_000  # open pairs that are kept before they are decided


@dataclass(frozen=True)
class Nearest:
    """`index` [n, k] into the other set and `distance` [n, k], nearest first; equal distances in the order of indices."""

    index: Index
    distance: Array


def nearest(x: Rows, y: Rows, k: int = 1, *, itself: Index | None = None) -> Nearest:
    """The `k` nearest rows of `y` [m, d] for every row of `x` [n, d] by Euclidean distance.

    `itself` [n]: the row of `y` that a row of `x` is, which is left out. Raises where `y` has too few rows.
    """
    checked_pair(x, y)
    _enough(len(y) - (itself is not None), k)
    centre = centre_of(y)
    one, two = prepare(x, centre, len(y)), prepare(y, centre, len(x))
    search = _Search(one, two, k, itself)
    every = itertools.product(tiles(len(x)), tiles(len(y)))
    for rows, columns, entries in products(one, two, every):
        search.see(entries, rows, columns)
    return search.found()


def nearest_others(x: Coarse, k: int) -> Nearest:
    """The `k` nearest other rows for every row of one set; each product serves both of its sides."""
    _enough(len(x) - 1, k)
    search = _Search(x, x, k, np.arange(len(x)))
    half = ((rows, columns) for rows in tiles(len(x)) for columns in tiles(len(x), rows.start))
    for rows, columns, entries in products(x, x, half):
        search.see(entries, rows, columns)
        if columns.start != rows.start:
            search.see(entries, columns, rows, turned=True)
    return search.found()


def tiles(n: int, start: int = 0) -> Iterator[slice]:
    """Slices of `TILE` rows that cover `start` to `n`."""
    for each in range(start, n, TILE):
        yield slice(each, min(each + TILE, n))


def centre_of(rows: Rows) -> Array:
    """Mean [d] of the first rows: distances do not depend on the centre, but coarse ones err less near one."""
    mean: Array = np.asarray(rows[:TILE], np.float64).mean(0)
    return mean


@dataclass
class _Search:
    """Upper bounds of the k nearest distances of each row so far, and the pairs that may still be among them.

    A pair is (row, column, lower bound, distance); the distance is nan until it is computed.
    """

    x: Coarse
    y: Coarse
    k: int
    itself: Index | None
    upper: Array = field(init=False)
    pairs: list[tuple[Index, Index, Array, Array]] = field(default_factory=list)
    held: int = 0
    most: int = field(default_factory=lambda: _CROWD)

    def __post_init__(self) -> None:
        self.upper = np.full((len(self.x), self.k), np.inf)

    def see(self, entries: Entries, rows: slice, columns: slice, *, turned: bool = False) -> None:
        """Take in the product of a tile, [rows, columns] or, where `turned`, [columns, rows]."""
        if self.itself is not None and not turned:
            self._leave_out(entries, rows, columns)
        reach = self.upper[rows].max(1)
        fresh = np.flatnonzero(~np.isfinite(reach))
        if len(fresh):
            reach[fresh] = self._first_reach(
                entries.T[fresh] if turned else entries[fresh], fresh + rows.start, columns
            )
        least = least_entry(self.x, rows, self.y, columns, reach)
        settled = reach == 0  # nothing is nearer than 0; the first k that are so near have to be seen
        settled[fresh] = False
        least[settled] = np.inf
        place = np.flatnonzero(entries >= (least[None, :] if turned else least[:, None]))
        first, second = np.divmod(place, entries.shape[1])
        i, j = (second, first) if turned else (first, second)
        i, j = i + rows.start, j + columns.start
        low, high = bounds_in_tile(self.x, i, self.y, j, entries.ravel()[place])
        near = low <= reach[i - rows.start]
        self._keep(i[near], j[near], low[near], high[near])

    def _leave_out(self, entries: Entries, rows: slice, columns: slice) -> None:
        own = np.asarray(self.itself)[rows] - columns.start
        inside = np.flatnonzero((own >= 0) & (own < entries.shape[1]))
        entries[inside, own[inside]] = -np.inf

    def _first_reach(self, entries: Entries, i: Index, columns: slice) -> Array:
        """Upper bound of the k-th nearest distance from a row's first tile; inf where the tile is too small."""
        if entries.shape[1] <= self.k:
            return np.full(len(i), np.inf)
        place = np.argpartition(entries, -self.k, axis=1)[:, -self.k :]
        best = np.take_along_axis(entries, place, 1)
        _, high = bounds(self.x, np.repeat(i, self.k), self.y, place.ravel() + columns.start, best.ravel())
        reach: Array = high.reshape(-1, self.k).max(1)
        return reach

    def _keep(self, i: Index, j: Index, low: Array, high: Array) -> None:
        """Remember open pairs, and draw the upper bounds of their rows closer."""
        self.pairs.append((i, j, low, np.full(len(i), np.nan)))
        self.held += len(i)
        rows, nearer = smallest(i, high, self.k)
        self.upper[rows] = np.sort(np.concatenate([self.upper[rows], nearer], 1), 1)[:, : self.k]
        if self.held > self.most:
            self._decide()
            self.most = self.held + _CROWD

    def _decide(self) -> None:
        """Compute the pairs that are still open and keep the k nearest of each row."""
        i, j, low, distance = (np.concatenate(parts) for parts in zip(*self.pairs, strict=True))
        near = low <= self.upper[i].max(1)
        i, j, distance = i[near], j[near], distance[near]
        new = np.isnan(distance)
        distance[new] = exact(self.x.rows, i[new], self.y.rows, j[new])
        order = np.lexsort((j, distance, i))
        best = order[_rank(i[order]) < self.k]
        self.pairs = [(i[best], j[best], distance[best], distance[best])]
        self.held = len(best)
        rows, nearer = smallest(i[best], distance[best], self.k)
        self.upper[rows] = nearer

    def found(self) -> Nearest:
        """The k nearest of every row, once every tile was seen."""
        self._decide()
        _, j, _, distance = self.pairs[0]
        return Nearest(j.reshape(-1, self.k), distance.reshape(-1, self.k))


def smallest(rows: Index, values: Array, k: int) -> tuple[Index, Array]:
    """The distinct `rows` [r] and their `k` smallest values [r, k], inf where a row has fewer.

    >>> smallest(np.array([4, 4, 7]), np.array([3.0, 1.0, 2.0]), 2)[1].tolist()
    [[1.0, 3.0], [2.0, inf]]
    """
    order = np.lexsort((values, rows))
    rows, values = rows[order], values[order]
    rank = _rank(rows)
    distinct, place = np.unique(rows, return_inverse=True)
    table = np.full((len(distinct), k), np.inf)
    near = rank < k
    table[place[near], rank[near]] = values[near]
    return distinct, table


def _rank(rows: Index) -> npt.NDArray[np.int64]:
    """Position of every entry among those of its row; `rows` are sorted."""
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    return np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))


def _enough(there: int, k: int) -> None:
    if there < k:
        raise EvalkitError(f"The {k} nearest of {max(there, 0)} images do not exist. Take a smaller k or more images.")
