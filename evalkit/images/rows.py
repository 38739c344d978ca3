"""Rows of a stream, read once: one iterator for ranges that follow each other, and the last rows kept for a second look."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images.loader import one_line

KEPT_BYTES = 2**27  # of the last rows, so that a shard can be looked at again
KEPT_ROWS = 4096
MAX_CELL = 2**30
Cells = tuple[Any, Any]


class RowStream:
    """Rows of a `datasets.IterableDataset` by number. Asked in ascending order, each is pulled once.

    `cells` takes (image, text) out of a row. A row far behind starts the stream again from there.
    """

    def __init__(self, stream: Any, cells: Callable[[Any], Cells], spec: str) -> None:
        self._stream, self._cells, self._spec = stream, cells, spec
        self._lock = threading.Lock()
        self._rows: Iterator[Any] | None = None
        self._at = 0
        self._kept: OrderedDict[int, Cells] = OrderedDict()
        self._bytes = 0

    def row(self, index: int) -> Cells | None:
        """(image, text) of a row, None where the stream ends before it. Raises `EvalkitError` where it breaks off."""
        with self._lock:
            if index in self._kept:
                return self._kept[index]
            if self._rows is None or index < self._at:
                self._rows, self._at = iter(self._stream.skip(index) if index else self._stream), index
            while True:
                found = self._next()
                if found is None or self._at > index:
                    return found

    def once(self, count: int | None) -> Iterator[Cells]:
        """The first `count` rows, or all, in a pass of their own that keeps nothing."""
        for number, row in enumerate(self._stream if count is None else self._stream.take(count)):
            if count is not None and number >= count:
                return
            yield self._cells(row)

    def _next(self) -> Cells | None:
        try:
            found = self._cells(next(self._rows or iter(())))
        except StopIteration:
            self._rows = None
            return None
        except Exception as error:  # network and parsers raise many kinds
            self._rows = None
            raise EvalkitError(
                f"{self._spec} breaks off at row {self._at} ({one_line(error)}); type the same command to go on"
            ) from None
        self._keep(found)
        self._at += 1
        return found

    def _keep(self, cells: Cells) -> None:
        self._kept[self._at] = cells
        self._bytes += _size(cells)
        while len(self._kept) > 1 and (self._bytes > KEPT_BYTES or len(self._kept) > KEPT_ROWS):
            self._bytes -= _size(self._kept.popitem(last=False)[1])


def bytes_of(cell: Any, *, local: bool) -> bytes:
    """The source bytes of an image cell. `local`: whether a path may name a file of this machine.

    Raises `OSError` or `ValueError` where there are none.
    """
    if isinstance(cell, dict):
        if cell.get("bytes") is not None:
            return bytes(cell["bytes"])
        return _bytes_at(str(cell.get("path") or ""), local)
    if hasattr(cell, "save"):  # an image object of a stream that was made in memory
        buffer = io.BytesIO()
        cell.save(buffer, format="TIFF" if cell.mode in ("CMYK", "F", "LAB", "YCbCr") else "PNG")
        return buffer.getvalue()
    raise ValueError("the row holds no image")


def _bytes_at(path: str, local: bool) -> bytes:
    import fsspec

    if not path:
        raise ValueError("the row holds no image")
    if not local and ("://" not in path or path.startswith(("file:", "local:"))):
        raise ValueError("the row names a file of this machine, which a foreign data set may not")
    with fsspec.open(path, "rb") as stream:
        data: bytes = stream.read(MAX_CELL + 1)
    if len(data) > MAX_CELL:
        raise ValueError(f"more than the {MAX_CELL} bytes allowed")
    return data


def _size(cells: Cells) -> int:
    data = cells[0].get("bytes") if isinstance(cells[0], dict) else None
    return len(data) if data is not None else 1
