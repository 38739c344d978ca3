"""Files of any writer that appear whole or not at all, and the names that they have until then."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WRITING = ".writing-"  # begins the names of what is not finished


def unfinished(path: Path) -> Path:
    """A name beside `path` for this process to write to; short, since that of `path` may be as long as the disk allows."""
    return path.with_name(f"{WRITING}{os.getpid()}-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]}")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; it becomes `path` at the end, and is removed where writing fails.

    Raises OSError where the disk takes no more, or the place may not be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = unfinished(path)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):  # on a disk that takes nothing, nothing was written
            temporary.unlink(missing_ok=True)
        raise
