"""Features of a set as rows that are read by blocks: an array, a memory map, or a bank on disk."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.metrics.moments import BLOCK, Moments, summed
from evalkit.metrics.transport import FewSamples, Gaussian

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]


class Rows(Protocol):
    """Features [n, d] in the order of their images; numpy arrays and `FeatureBank` are rows."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, d)."""
        ...

    def __len__(self) -> int:
        """Number of images."""
        ...

    def __getitem__(self, key: Any, /) -> Any:
        """The rows of a slice or of an integer array, as a float array [k, d]."""
        ...


@dataclass(frozen=True)
class Taken:
    """The rows of `rows` at `index`, read when they are asked for."""

    rows: Rows
    index: Index

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, d)."""
        return len(self.index), *self.rows.shape[1:]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.index)

    def __getitem__(self, key: Any, /) -> Any:
        """The rows of a slice or of an integer array."""
        return self.rows[self.index[key]]


def row_blocks(rows: Rows, size: int = BLOCK) -> Iterator[Array]:
    """The rows in float64, `size` at a time, in their order.

    >>> [block.shape for block in row_blocks(np.zeros((5, 2)), 3)]
    [(3, 2), (2, 2)]
    """
    for start in range(0, len(rows), size):
        yield np.asarray(rows[start : start + size], np.float64)


def moments_of(rows: Rows) -> Moments:
    """Mean and scatter of all rows, summed block by block in their order, so that batches leave no trace."""
    return summed(rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK))


def gaussian_of(rows: Rows) -> Gaussian:
    """Mean and covariance of all rows [n, d]; of fewer rows than dimensions through the rows, which is exact and fast."""
    n, d = rows.shape
    if not 1 < n < d:
        return moments_of(rows)
    x = np.asarray(rows[:], np.float64)
    mean = x.mean(0)
    return FewSamples(mean, (x - mean) / math.sqrt(n - 1))


def checked(rows: Rows, what: str, least: int = 1) -> tuple[int, int]:
    """(n, d) of rows that hold at least `least` images; `what` names the set in the error."""
    if len(rows.shape) != 2:
        raise EvalkitError(f"Features of {what} come as [n, d]; shape {rows.shape} was given. Give one row an image.")
    n, d = rows.shape
    if n < least:
        raise EvalkitError(f"{what.capitalize()} has {n} of the {least} images that are needed. Add images.")
    return n, d


def checked_pair(x: Rows, y: Rows, least: int = 1) -> tuple[int, int, int]:
    """(n, m, d) of the images' and the reference's rows; raises where their dimensions differ."""
    n, d = checked(x, "the image set", least)
    m, e = checked(y, "the reference", least)
    if d != e:
        raise EvalkitError(
            f"Features of {d} and of {e} dimensions cannot be compared. Take both with the same encoder and output."
        )
    return n, m, d
