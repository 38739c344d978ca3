"""Private keys on disk and in the environment: never in arguments, readable by their owner only, never overwritten."""

from __future__ import annotations

import os
from pathlib import Path

from evalkit.errors import EvalkitError


def write_secret(path: Path, data: bytes) -> None:
    """Write `data` to the new file `path` with mode 0600; raises `EvalkitError` where the file exists already."""
    write_new(path, data, 0o600)


def write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write `data` to the new file `path`; raises `EvalkitError` where the file exists already, or cannot be made."""
    if path.is_symlink() or path.exists():
        raise EvalkitError(f"{path} exists and is not overwritten; give another name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise EvalkitError(f"{path} cannot be written ({error.strerror}); give a file in a folder of yours") from None
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)


def read_secret(path: Path | None, variable: str, fallback: Path | None = None) -> bytes:
    """The PEM text of the file `path`, else of the environment's `variable`, else of the file `fallback`.

    Raises `EvalkitError` where there is none of them, or a key file may be read by others.
    """
    if path is None and os.environ.get(variable):
        return os.environ[variable].encode()
    chosen = path or (fallback if fallback is not None and fallback.exists() else None)
    if chosen is None:
        beside = f", or put it at {fallback}" if fallback is not None else ""
        raise EvalkitError(f"no private key was given; give --key FILE, or set {variable} to its PEM text{beside}")
    try:
        if os.name == "posix" and chosen.stat().st_mode & 0o077:
            raise EvalkitError(f"the key {chosen} may be read by others; type: chmod 600 {chosen}")
        return chosen.read_bytes()
    except OSError as error:
        raise EvalkitError(f"the key {chosen} cannot be read: {error.strerror or error}") from None
