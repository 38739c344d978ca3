"""One process for a run folder at a time."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from evalkit.errors import EvalkitError

NAME = ".lock"


class Lock:
    """Held for as long as the process works on the folder; a kill gives it back."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._handle: int | None = None

    def __enter__(self) -> Lock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        if not (taken(handle) and still(handle, self.path)):
            said = os.read(handle, 200).decode("utf-8", "replace").strip() or "unknown"
            os.close(handle)
            raise EvalkitError(
                f"{self.path.parent} is being written by another process ({said}). Wait for it, or give another --out"
            )
        os.ftruncate(handle, 0)
        os.write(handle, f"host {socket.gethostname()}, process {os.getpid()}".encode())
        self._handle = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None
            with suppress(OSError):  # a folder that holds a run stays
                self.path.parent.rmdir()


def taken(handle: int) -> bool:
    """Whether the open file is this process's alone now, until it is closed."""
    try:
        import fcntl
    except ImportError:  # Windows: a second process is not noticed there
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def still(handle: int, path: Path) -> bool:
    """Whether the name still means this file, which the process before removes when it ends."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
