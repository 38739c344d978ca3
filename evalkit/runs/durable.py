"""Files and folders that appear whole or not at all, and are still there after a power cut."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from evalkit.whole_files import WRITING, unfinished


def write_bytes(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write a file, in pieces where `data` has them, so that it appears whole or not at all; nothing else is left behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = unfinished(path)
    try:
        with temporary.open("wb") as stream:
            stream.writelines([data] if isinstance(data, bytes) else data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sweep(folder: Path) -> None:
    """Remove what killed processes left half-written in a folder and below it, so that nothing counts it as a file."""
    for place, inner, names in os.walk(folder):
        for name in [each for each in inner if each.startswith(WRITING)]:
            shutil.rmtree(os.path.join(place, name), ignore_errors=True)
            inner.remove(name)
        for name in (each for each in names if each.startswith(WRITING)):
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(place, name))


def sync_file(path: Path) -> None:
    """Wait until the file's bytes are on the disk."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the folder's names are on the disk, where the system can do that."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folder
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """sha256 of the file's bytes, in hexadecimal; memory stays flat."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
