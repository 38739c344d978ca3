"""Private keys on disk and in the environment: never in arguments, readable by their owner only, never overwritten."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.whole_files import unfinished


def write_secret(path: Path, data: bytes) -> None:
    """Write `data` to the new file `path` with mode 0600; raises `EvalkitError` where the file exists already."""
    write_new(path, data, 0o600)


def write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write `data` to the new file `path`; raises `EvalkitError` where the file exists already, or cannot be made."""
    if path.is_symlink() or path.exists():
        raise EvalkitError(f"{path} exists and is not overwritten; give another name")
    temporary = unfinished(path)
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
    except OSError as error:
        raise EvalkitError(f"{path} cannot be written ({error.strerror}); give a file in a folder of yours") from None
    try:
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        _appear(temporary, path)
    except FileExistsError:
        raise EvalkitError(f"{path} exists and is not overwritten; give another name") from None
    except OSError as error:
        raise EvalkitError(f"{path} cannot be written ({error.strerror}); give a file in a folder of yours") from None
    finally:
        _forget(temporary)


def write_all_new(files: Mapping[Path, tuple[bytes, int]]) -> None:
    """Write new files (data and mode by path), all of them or none. Raises `EvalkitError` as `write_new` does."""
    written: list[Path] = []
    try:
        for path, (data, mode) in files.items():
            write_new(path, data, mode)
            written.append(path)
    except BaseException:
        for path in written:
            _forget(path)
        raise


def _appear(temporary: Path, path: Path) -> None:
    """Give the whole file its name, unless another one has it."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(str(path)) from None
        temporary.rename(path)


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError):  # on a disk that takes nothing, nothing was written
        path.unlink(missing_ok=True)


def read_secret(path: Path | None, variable: str, fallback: Path | None = None, *, maker: str) -> bytes:
    """The PEM text of the file `path`, else of the environment's `variable`, else of the file `fallback`.

    `maker`: the command that makes one.

    Raises `EvalkitError` where there is none of them, or a key file may be read by others.
    """
    if path is None and os.environ.get(variable):
        return os.environ[variable].encode()
    chosen = path or (fallback if fallback is not None and fallback.exists() else None)
    if chosen is None:
        beside = f", or put it at {fallback}" if fallback is not None else ""
        raise EvalkitError(
            f"no private key was given; give --key FILE, or set {variable} to its PEM text{beside}. "
            f"Make one with: {maker}"
        )
    try:
        if os.name == "posix" and chosen.stat().st_mode & 0o077:
            raise EvalkitError(f"the key {chosen} may be read by others; type: chmod 600 {chosen}")
        return chosen.read_bytes()
    except OSError as error:
        raise EvalkitError(f"the key {chosen} cannot be read: {error.strerror or error}") from None
