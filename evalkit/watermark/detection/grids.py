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


def rolled(codes: npt.NDArray[np.int64], right: int, down: int, grid: Grid | None) -> npt.NDArray[np.int64]:
    """Codes [N] of one map as they lay before it was moved by whole cells; -1 where they came from outside.

    >>> rolled(np.arange(4), 1, 0, (2, 2)).tolist()
    [1, -1, 3, -1]
    """
    if (not right and not down) or grid is None or codes.size != grid[0] * grid[1]:
        return codes
    cells, moved = codes.reshape(grid), np.full(grid, -1, np.int64)
    rows, columns = grid
    if abs(down) < rows and abs(right) < columns:
        moved[max(0, -down) : rows - max(0, down), max(0, -right) : columns - max(0, right)] = cells[
            max(0, down) : rows - max(0, -down), max(0, right) : columns - max(0, -right)
        ]
    return moved.ravel()


def _whole(known: npt.NDArray[np.bool_], grid: Grid) -> npt.NDArray[np.bool_]:
    rows, columns = grid
    high, wide = known.shape
    down = np.logical_and.reduceat(
        known, np.arange(rows) * high // rows, axis=0
    )  # sizes that the grid does not divide, too
    cells = np.logical_and.reduceat(down, np.arange(columns) * wide // columns, axis=1)
    return np.asarray(cells.ravel())
