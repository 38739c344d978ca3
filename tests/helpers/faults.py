"""Faults of the machine, at the Nth operation of a kind: a full disk, a failing fsync or rename, no memory left."""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

KINDS = ("write", "fsync", "rename", "allocation")


@dataclass
class Fault:
    """Counts the operations of one kind, and lets the `nth` (from 1) fail; with 0 none fails."""

    kind: str
    nth: int = 0
    lasting: bool = False  # all operations after it fail too, as on a disk that stays full
    seen: int = 0
    struck: bool = field(default=False)

    def due(self) -> bool:
        """Whether this operation fails."""
        self.seen += 1
        now = self.nth > 0 and (self.seen == self.nth or (self.lasting and self.seen > self.nth))
        self.struck = self.struck or now
        return now

    def error(self) -> BaseException:
        """What the system says."""
        if self.kind == "allocation":
            return MemoryError()
        number = {"write": errno.ENOSPC, "fsync": errno.EIO, "rename": errno.EROFS}[self.kind]
        return OSError(number, os.strerror(number))


class _File(io.BufferedWriter):
    """A file whose writes may fail; half of the bytes are written then."""

    def __init__(self, raw: Any, fault: Fault) -> None:
        super().__init__(raw)
        self._fault = fault

    def write(self, data: Any) -> int:
        if self._fault.due():
            super().write(bytes(data)[: len(bytes(data)) // 2])
            raise self._fault.error()
        return super().write(data)


@contextlib.contextmanager
def failing(fault: Fault, within: str) -> Iterator[Fault]:
    """The fault in force for files below the folder `within` (and for all memory)."""
    with pytest.MonkeyPatch.context() as patch:
        {"write": _writes, "fsync": _syncs, "rename": _renames, "allocation": _memory}[fault.kind](patch, fault, within)
        yield fault


def _writes(patch: pytest.MonkeyPatch, fault: Fault, within: str) -> None:
    plain, low = io.open, os.open

    def opened(file: Any, mode: str = "r", *args: Any, **named: Any) -> Any:
        mine = isinstance(file, str | os.PathLike) and os.fspath(file).startswith(within)
        if not mine or not set(mode) & set("wax"):
            return plain(file, mode, *args, **named)
        if fault.due():
            raise fault.error()
        if "b" in mode and "+" not in mode:
            return _File(io.FileIO(os.fspath(file), mode.replace("b", "")), fault)
        return plain(file, mode, *args, **named)

    def opened_low(path: Any, flags: int, *args: Any, **named: Any) -> int:
        mine = isinstance(path, str | os.PathLike) and os.fspath(path).startswith(within)
        if mine and flags & (os.O_WRONLY | os.O_RDWR) and fault.due():
            raise fault.error()
        return low(path, flags, *args, **named)

    patch.setattr(io, "open", opened)
    patch.setattr(builtins, "open", opened)
    patch.setattr(os, "open", opened_low)
    _table_writes(patch, fault)


def _table_writes(patch: pytest.MonkeyPatch, fault: Fault) -> None:
    """Arrow writes files by itself: its calls fail when half of the file is there."""
    whole, part = pq.write_table, pq.ParquetWriter.write_table

    def write_table(table: Any, where: Any, *args: Any, **named: Any) -> None:
        whole(table, where, *args, **named)
        if fault.due():
            os.truncate(where, os.path.getsize(where) // 2)
            raise fault.error()

    def write_part(self: Any, table: Any, *args: Any, **named: Any) -> None:
        if fault.due():
            raise fault.error()
        part(self, table, *args, **named)

    patch.setattr(pq, "write_table", write_table)
    patch.setattr(pq.ParquetWriter, "write_table", write_part)


def _guarded(plain: Callable[..., Any], fault: Fault) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        if fault.due():
            raise fault.error()
        return plain(*args, **named)

    return call


def _syncs(patch: pytest.MonkeyPatch, fault: Fault, within: str) -> None:
    patch.setattr(os, "fsync", _guarded(os.fsync, fault))


def _renames(patch: pytest.MonkeyPatch, fault: Fault, within: str) -> None:
    for name in ("rename", "replace", "link", "mkdir"):
        patch.setattr(os, name, _guarded(getattr(os, name), fault))


def _memory(patch: pytest.MonkeyPatch, fault: Fault, within: str) -> None:
    arrays = ((np, ("stack", "concatenate", "ascontiguousarray")), (torch, ("stack", "cat", "from_numpy")))
    for module, names in (*arrays, (pa, ("array", "table", "concat_tables"))):
        for name in names:
            patch.setattr(module, name, _guarded(getattr(module, name), fault))
