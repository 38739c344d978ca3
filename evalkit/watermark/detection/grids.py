"""Where codes lie in an image: one map, one map a scale, or nowhere (codes without a place)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Grid = tuple[int, int]


def maps_of(count: int, grid: Grid | None, scales: Sequence[int]) -> list[Grid]:
    """(rows, columns) of the maps that `count` codes fill one after the other; empty where they lie on none.

    >>> maps_of(5, (2, 2), (1, 4))
    [(1, 1), (2, 2)]
    """
    if grid is None:
        return []
    if scales:  # coarser maps have the last one's shape
        ratio = grid[0] / grid[1]
        maps = [((rows := max(1, round((n * ratio) ** 0.5))), n // rows) for n in scales]
    else:
        maps = [grid]
    return maps if sum(rows * columns for rows, columns in maps) == count else []


def counted_cells(
    known: npt.NDArray[np.bool_], count: int, grid: Grid | None, scales: Sequence[int]
) -> npt.NDArray[np.bool_] | None:
    """bool [count]: codes of cells that see known pixels only, of `known` [S, S]; None where codes lie on no map."""
    maps = maps_of(count, grid, scales)
    return np.concatenate([_whole(known, each) for each in maps]) if maps else None


def _whole(known: npt.NDArray[np.bool_], grid: Grid) -> npt.NDArray[np.bool_]:
    rows, columns = grid
    high, wide = known.shape
    down = np.logical_and.reduceat(
        known, np.arange(rows) * high // rows, axis=0
    )  # sizes that the grid does not divide, too
    cells = np.logical_and.reduceat(down, np.arange(columns) * wide // columns, axis=1)
    return np.asarray(cells.ravel())
