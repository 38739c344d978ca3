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
class Contained:
    """`covering` [m]: how many balls around `x` hold each row of `y`; `reached` [n]: whether a row's ball holds any of `y`.

    `inside` [n]: whether a row of `x` lies in any ball around `y`.
    """

    covering: npt.NDArray[np.int64]
    reached: Flags
    inside: Flags


def contained(x: Coarse, y: Coarse, x_radius: Array, y_radius: Array, *, closed: bool = True) -> Contained:
    """Count by exact distances; a ball holds what is at its radius where `closed`, else only what is nearer.

    `x_radius` [n], `y_radius` [m]: radii of the balls around the rows.
    """
    covering = np.zeros(len(y), np.int64)
    reached, inside = np.zeros(len(x), bool), np.zeros(len(x), bool)
    holds: Holds = np.less_equal if closed else np.less
    every = itertools.product(tiles(len(x)), tiles(len(y)))
    for rows, columns, entries in products(x, y, every):
        i, j = _near(x, rows, y, columns, x_radius, entries, holds)
        covering += np.bincount(j, minlength=len(y))
        reached[i] = True
        j, i = _near(y, columns, x, rows, y_radius, entries, holds, skip=inside[rows])
        inside[i] = True
    return Contained(covering, reached, inside)


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
    skip: Flags | None = None,
) -> tuple[Index, Index]:
    """Pairs of the tile in which the ball of a row of `x` holds a column of `y`.

    With `skip` [columns] the entries are [columns, rows], and columns that are skipped are known already.
    """
    least = least_entry(x, rows, y, columns, radius[rows])
    maybe = entries >= (least[:, None] if skip is None else least[None, :])
    if skip is not None:
        maybe &= ~skip[:, None]
    place = np.flatnonzero(maybe)
    first, second = np.divmod(place, entries.shape[1])
    i, j = (first, second) if skip is None else (second, first)
    i, j = i + rows.start, j + columns.start
    low, high = bounds_in_tile(x, i, y, j, entries.ravel()[place])
    sure = high < radius[i]
    open_ = np.flatnonzero(~sure & (low <= radius[i]))
    sure[open_] = holds(exact(x.rows, i[open_], y.rows, j[open_]), radius[i[open_]])
    return i[sure], j[sure]
