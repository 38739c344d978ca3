"""The files of a folder and their sha256, read at the speed of the disk."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from evalkit.errors import EvalkitError
from evalkit.runs.job import Progress
from evalkit.runs.store import ATTESTATION

_BUFFER = 1 << 20
_LOCAL = threading.local()


def listing(folder: Path) -> list[str]:
    """Relative names of all files below `folder` but its attestation, sorted; links are listed and never followed.

    Raises `EvalkitError` where a name is not text, which no statement could hold.
    """
    found: list[str] = []
    for place, inner, names in os.walk(folder):
        here = Path(place)
        links = [name for name in inner if (here / name).is_symlink()]
        found += [(here / name).relative_to(folder).as_posix() for name in (*names, *links)]
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
        with ThreadPoolExecutor(threads or min(4, os.cpu_count() or 1)) as pool:
            for name, said in zip(listed, pool.map(lambda name: digest(folder / name), listed), strict=True):
                found[name] = said
                told.advance(1)
    finally:
        told.finish()
    return found


def _buffer() -> memoryview:
    """One buffer a thread: a fresh one for each of many small files would cost more than hashing them."""
    if not hasattr(_LOCAL, "view"):
        _LOCAL.view = memoryview(bytearray(_BUFFER))
    view: memoryview = _LOCAL.view
    return view


def digest(path: Path) -> str | None:
    """Hex sha256 of a plain file, None where there is none or it cannot be read."""
    if path.is_symlink() or not path.is_file():
        return None
    hashed, view = hashlib.sha256(), _buffer()
    try:
        with path.open("rb", buffering=0) as stream:
            while size := stream.readinto(view):
                hashed.update(view[:size])
    except OSError:
        return None
    return hashed.hexdigest()


def manifest_digest(named: Mapping[str, str]) -> str:
    """One sha256 over all files' digests in the order of their names, as OpenSSF model-signing computes it."""
    joined = hashlib.sha256()
    for name in sorted(named, key=lambda each: PurePosixPath(each).parts):
        joined.update(bytes.fromhex(named[name]))
    return joined.hexdigest()
