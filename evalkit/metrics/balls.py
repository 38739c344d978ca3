"""Which features of one set lie in the balls around those of another: what precision, recall, density, coverage count."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.metrics.nearest import tiles
from evalkit.metrics.neighbours import Coarse, Entries, bounds_in_tile, exact, least_entry, products
from evalkit.metrics.rows import Array, Index

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Held:
    """How many balls hold each point [points], and the number of one of them (the only one, where it is one)."""

    count: Index
    one: Index

    def only(self, balls: int) -> Index:
        """For each of `balls` balls, how many points it alone holds."""
        return np.bincount(self.one[self.count == 1], minlength=balls)


@dataclass(frozen=True)
class Contained:
    """Points of `y` in balls around `x`; those balls by the points they hold; and points of `x` in balls around `y`."""

    y_in_x: Held
    x_around_y: Held
    x_in_y: Held


def contained(x: Coarse, y: Coarse, x_radius: Array, y_radius: Array, *, closed: bool = True) -> Contained:
    """Count by exact distances; a ball holds what is at its radius where `closed`, else only what is nearer.

    `x_radius` [n], `y_radius` [m]: radii of the balls around the rows.
    """
    n, m = len(x), len(y)
    found = Contained(_nothing(m), _nothing(n), _nothing(n))
    holds: Holds = np.less_equal if closed else np.less
    every = itertools.product(tiles(n), tiles(m))
    for rows, columns, entries in products(x, y, every):
        i, j = _near(x, rows, y, columns, x_radius, entries, holds)
        _add(found.y_in_x, columns, j, i)
        _add(found.x_around_y, rows, i, j)
        j, i = _near(y, columns, x, rows, y_radius, entries, holds, turned=True)
        _add(found.x_in_y, rows, i, j)
    return found


def _nothing(points: int) -> Held:
    return Held(np.zeros(points, np.int64), np.full(points, -1))


def _add(held: Held, part: slice, points: Index, balls: Index) -> None:
    held.count[part] += np.bincount(points - part.start, minlength=part.stop - part.start)
    held.one[points] = balls


Holds = Callable[[Array, Array], Flags]


def _near(
    x: Coarse,
    rows: slice,
    y: Coarse,
    columns: slice,
    radius: Array,
    entries: Entries,
    holds: Holds,
    *,
    turned: bool = False,
) -> tuple[Index, Index]:
    """Pairs of the tile in which the ball of a row of `x` holds a column of `y`; entries may be `turned`."""
    least = least_entry(x, rows, y, columns, radius[rows])
    place = np.flatnonzero(entries >= (least[None, :] if turned else least[:, None]))
    first, second = np.divmod(place, entries.shape[1])
    i, j = (second, first) if turned else (first, second)
    i, j = i + rows.start, j + columns.start
    low, high = bounds_in_tile(x, i, y, j, entries.ravel()[place])
    sure = high < radius[i]
    open_ = np.flatnonzero(~sure & (low <= radius[i]))
    sure[open_] = holds(exact(x.rows, i[open_], y.rows, j[open_]), radius[i[open_]])
    return i[sure], j[sure]
