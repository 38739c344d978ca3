"""The files of a folder and their sha256, read at the speed of the disk."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.jobs.progress import Progress
from evalkit.runs.store import ATTESTATION

PART, OPENING = 2**23, 2**16  # bytes that a thread takes at a time; opening a file takes as long as hashing so many
THREADS = 16
NO_LINKS = getattr(os, "O_NOFOLLOW", 0)  # where the system can refuse to follow a link, it does
FLAGS = os.O_RDONLY | NO_LINKS | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe would wait for ever
_BUFFER = 1 << 20
_LOCAL = threading.local()


def listing(folder: Path) -> list[str]:
    """Relative names of all files below `folder` but its attestation, sorted; links are listed and never followed.

    Raises `EvalkitError` where a name is not text, which no statement could hold.
    """
    found: list[str] = []
    for place, inner, names in os.walk(folder):
        links = [name for name in inner if os.path.islink(os.path.join(place, name))]
        below = Path(place).relative_to(folder).as_posix()
        start = "" if below == "." else f"{below}/"
        found += [start + name for name in (*names, *links)]
    for name in found:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise EvalkitError(f"{folder} holds a file whose name is not UTF-8 ({name!a}); rename it") from None
    return sorted(name for name in found if name != ATTESTATION)


def digests(
    folder: Path, names: Iterable[str], threads: int | None = None, progress: Progress | None = None
) -> dict[str, str | None]:
    """Hex sha256 of the named files below `folder`; None for what is missing, or no plain file (a link, a pipe)."""
    listed, told = list(names), progress or Progress()
    found: dict[str, str | None] = {}
    told.start(f"files of {folder.name}", len(listed))
    try:
        with ThreadPoolExecutor(threads or min(THREADS, os.cpu_count() or 1)) as pool:
            parts = pieces(folder, listed)
            for part in pool.map(lambda names: [(name, digest(folder / name)) for name in names], parts):
                found.update(part)
                told.advance(len(part))
    finally:
        told.finish()
    return {name: found[name] for name in listed}


def pieces(folder: Path, names: Iterable[str]) -> list[list[str]]:
    """The names in pieces of equal work, those of large files first, so that no thread ends long after the others."""
    found: list[list[str]] = []
    work = PART
    for size, name in sorted(((_size(folder / name), name) for name in names), reverse=True):
        if work >= PART:
            found.append([])
            work = 0
        found[-1].append(name)
        work += size + OPENING
    return found


def _size(path: Path) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def digest(path: Path) -> str | None:
    """Hex sha256 of a plain file, None where there is none or it cannot be read."""
    try:
        handle = os.open(path, FLAGS)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(handle).st_mode) or (not NO_LINKS and path.is_symlink()):
        os.close(handle)
        return None
    with os.fdopen(handle, "rb", buffering=0) as stream:
        hashed, view = hashlib.sha256(), _buffer()
        try:
            while size := stream.readinto(view):
                hashed.update(view[:size])
        except OSError:
            return None
        return hashed.hexdigest()


def _buffer() -> memoryview:
    """One buffer a thread: a fresh one for each of many small files would cost more than hashing them."""
    if not hasattr(_LOCAL, "view"):
        _LOCAL.view = memoryview(bytearray(_BUFFER))
    view: memoryview = _LOCAL.view
    return view


def manifest_digest(named: Mapping[str, str]) -> str:
    """One sha256 over all files' digests in the order of their names, as OpenSSF model-signing computes it."""
    joined = hashlib.sha256()
    for name in sorted(named, key=lambda each: each.split("/")):
        joined.update(bytes.fromhex(named[name]))
    return joined.hexdigest()
