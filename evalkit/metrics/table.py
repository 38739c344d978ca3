"""Rows of numbers of low precision that are read by tiles: in memory while they are few, else in a temporary file."""

from __future__ import annotations

import tempfile
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

IN_MEMORY = 2**25  # bytes of a table up to which it needs no file


class Table:
    """[n, width] of one type, written and read by one thread at a time; a file vanishes with the table."""

    def __init__(self, n: int, width: int, dtype: torch.dtype) -> None:
        import torch  # slow to import

        self.shape, self.dtype = (n, width), dtype
        self._bytes = width * dtype.itemsize
        self._held: Tensor | None = None
        self._file: IO[bytes] | None = None
        if n * self._bytes <= IN_MEMORY:
            self._held = torch.empty((n, width), dtype=dtype)
        else:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (lives as long as the table)

    def write(self, start: int, rows: Tensor) -> None:
        """Set the rows [k, width] from `start` on."""
        if self._held is not None:
            self._held[start : start + len(rows)] = rows
        elif self._file is not None:
            import torch

            self._file.seek(start * self._bytes)
            self._file.write(rows.contiguous().view(torch.uint8).numpy().data)

    def read(self, rows: slice) -> Tensor:
        """The rows from `rows.start` to `rows.stop`, which both are numbers within the table."""
        if self._held is not None:
            return self._held[rows]
        import torch

        out = torch.empty((rows.stop - rows.start, self.shape[1]), dtype=self.dtype)
        if self._file is not None:
            self._file.seek(rows.start * self._bytes)
            self._file.readinto(out.view(torch.uint8).numpy().reshape(-1).data)  # type: ignore[attr-defined]
        return out
