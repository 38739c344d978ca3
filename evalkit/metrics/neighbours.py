"""Exact nearest neighbours of features by blocks, in float64 whatever product proposes them.

Nine in ten of the operations of precision, recall, density, coverage and memorisation are inner products of features.
Here a coarse product (bfloat16 where the processor is fast at it, else float32) bounds every distance from both sides:
with x' the rounded features, | |x - y| - |x' - y'| | <= |x - x'| + |y - y'|, and the errors of summing and rounding the
product are bounded too. Only pairs that these bounds leave open are computed, in float64 from the features themselves.
Values are therefore those of a float64 computation, without its cost, and independent of block sizes and hardware.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from evalkit.metrics.rows import Array, Index, Rows, row_blocks
from evalkit.metrics.table import Table

if TYPE_CHECKING:
    import torch

Entries = npt.NDArray[np.float32]
TILE = 1024  # rows of one side of a product; 2048 take twice the memory and the same time
_PIECES = 3  # numbers of low precision that hold one of high precision
_SMALL = 2**31  # multiplications below which rounding to bfloat16 gains nothing
_ROUNDED = 256  # rows that are rounded at once; they are held several times
_PAIRS = 256  # pairs whose distance is computed at once
_CROWDED = 64  # open pairs of a row in one tile from which on a float64 product is cheaper


@dataclass(frozen=True)
class Coarse:
    """Features prepared for products that give minus half the squared distance.

    `rows`: the features. `table` [n, d + 6]: rounded centred features, minus half their squared length in three pieces,
    and three ones. `square` and `slip` [n]: squared length of the rounded features, and length of what rounding took.
    """

    rows: Rows
    table: Table
    square: Array
    slip: Array

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def rounding(self) -> float:
        """Relative error of one entry of a product."""
        return 2.0**-8 if self.table.dtype.itemsize == 2 else 2.0**-23

    @property
    def summing(self) -> float:
        """Error of a product's sum in float32, as a share of half the two squared lengths."""
        return 2 * (self.table.shape[1] + 2) * 2.0**-24


def prepare(rows: Rows, centre: Array, others: int) -> Coarse:
    """`rows` [n, d] less `centre` [d], ready for products with about `others` rows; distances do not depend on `centre`."""
    import torch  # slow to import, and this module is read for its declarations too

    n, d = rows.shape
    coarse_dtype = _fast_dtype() if n * others * d > _SMALL else torch.float32
    table = Table(n, d + 2 * _PIECES, coarse_dtype)
    square, slip = np.empty(n), np.empty(n)
    start = 0
    for block in row_blocks(rows, _ROUNDED):
        part = slice(start, start + len(block))
        whole = torch.from_numpy(block - centre)
        low = torch.ones((len(block), d + 2 * _PIECES), dtype=coarse_dtype)
        low[:, :d] = whole
        rounded = low[:, :d].double()
        square[part] = rounded.square().sum(1).numpy()
        slip[part] = (whole - rounded).square().sum(1).sqrt().numpy()
        rest = torch.from_numpy(-square[part] / 2)
        for piece in range(_PIECES):
            low[:, d + piece] = rest
            rest = rest - low[:, d + piece].double()
        table.write(start, low)
        start += len(block)
    return Coarse(rows, table, square, slip)


def product(x: Coarse, rows: slice, y: Coarse, columns: slice) -> Entries:
    """Minus half the squared distances [rows, columns] between rounded features, up to `summing` and `rounding`."""
    import torch

    d = x.table.shape[1] - 2 * _PIECES
    other = y.table.read(columns)
    turned = torch.cat([other[:, :d], other[:, d + _PIECES :], other[:, d : d + _PIECES]], 1)
    entries: Entries = (x.table.read(rows) @ turned.T).float().numpy()
    return entries


def products(x: Coarse, y: Coarse, tiles: Iterable[tuple[slice, slice]]) -> Iterator[tuple[slice, slice, Entries]]:
    """The products of all tiles (rows, columns); the next one is computed while the caller looks at the last."""
    with ThreadPoolExecutor(1) as ahead:
        waiting: tuple[slice, slice, Future[Entries]] | None = None
        for rows, columns in tiles:
            following = rows, columns, ahead.submit(product, x, rows, y, columns)
            if waiting is not None:
                yield waiting[0], waiting[1], waiting[2].result()
            waiting = following
        if waiting is not None:
            yield waiting[0], waiting[1], waiting[2].result()


def least_entry(x: Coarse, rows: slice, y: Coarse, columns: slice, radius: Array) -> Entries:
    """float32 [rows]: an entry below this proves that the distance to a column of the tile exceeds `radius` [rows]."""
    reach = radius + x.slip[rows] + y.slip[columns].max()
    most = reach**2 / 2 + x.summing * (x.square[rows] + y.square[columns].max()) / 2
    lowest = np.finfo(np.float32).min / 2  # an entry of -inf never reaches it
    least = np.maximum(-most * (1 + x.rounding), lowest).astype(np.float32)
    below: Entries = np.maximum(np.nextafter(least, np.float32(-np.inf)), lowest)
    return below


def bounds(x: Coarse, i: Index, y: Coarse, j: Index, entries: Entries) -> tuple[Array, Array]:
    """Lower and upper bounds of the true distances of the pairs (i, j) [p] from their `entries` of products [p]."""
    squared = -2.0 * entries.astype(np.float64)
    error = x.summing * (x.square[i] + y.square[j])
    slip = x.slip[i] + y.slip[j]
    upper = np.sqrt(np.maximum(squared * (1 + x.rounding) + error, 0.0)) + slip
    lower = np.sqrt(np.maximum(squared * (1 - x.rounding) - error, 0.0)) - slip
    return lower, upper


def bounds_in_tile(x: Coarse, i: Index, y: Coarse, j: Index, entries: Entries) -> tuple[Array, Array]:
    """`bounds`, by a float64 product where a tile leaves so many pairs open that single distances would take long."""
    if len(i) <= _CROWDED * (int(np.ptp(i)) + 1 if len(i) else 1):
        return bounds(x, i, y, j, entries)
    first, second = int(i.min()), int(j.min())
    one = np.asarray(x.rows[first : int(i.max()) + 1], np.float64)
    two = np.asarray(y.rows[second : int(j.max()) + 1], np.float64)
    centre = two.mean(0)
    one, two = one - centre, two - centre
    a, b = np.square(one).sum(1), np.square(two).sum(1)
    ends = a[i - first] + b[j - second]
    squared = ends - 2 * (one @ two.T)[i - first, j - second]
    error = (one.shape[1] + 2) * 2.0**-51 * ends
    return np.sqrt(np.maximum(squared - error, 0.0)), np.sqrt(np.maximum(squared + error, 0.0))


def exact(x: Rows, i: Index, y: Rows, j: Index) -> Array:
    """Euclidean distances of the pairs (i, j) [p] in float64, each by itself and so the same in any company."""
    found = np.empty(len(i))
    order = np.lexsort((j, i))
    for start in range(0, len(i), _PAIRS):
        part = order[start : start + _PAIRS]
        near, back = np.unique(i[part], return_inverse=True)
        far, ahead = np.unique(j[part], return_inverse=True)
        one, two = np.asarray(x[near], np.float64), np.asarray(y[far], np.float64)
        found[part] = np.sqrt(np.square(one[back] - two[ahead]).sum(1))
    return found


@cache
def _fast_dtype() -> torch.dtype:
    """bfloat16 where this processor multiplies it clearly faster than float32; the results are the same."""
    import torch

    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.ones((512, 512), dtype=dtype)
        a @ a
        started = time.perf_counter()
        for _ in range(3):
            a @ a
        seconds[dtype] = time.perf_counter() - started
    return torch.bfloat16 if 2 * seconds[torch.bfloat16] < seconds[torch.float32] else torch.float32
