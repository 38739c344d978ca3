"""Reading files of a run that somebody else may have made: plain files only, so that no pipe is waited for."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from io import BufferedReader
from pathlib import Path

NO_LINKS = getattr(os, "O_NOFOLLOW", 0)  # where the system can refuse to follow a link, it does
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe would wait for ever


def read_plain(path: Path, *, links: bool = True) -> bytes:
    """The bytes of a plain file; with `links=False` not through a link.

    Raises OSError where there is none, or where it is a folder, a pipe or a device.
    """
    if not links and path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link", str(path))
    with open_plain(path, 0 if links else NO_LINKS) as stream:
        return stream.read()


def open_plain(path: Path, flags: int = 0) -> BufferedReader:
    """A plain file for reading. Raises OSError where there is none, and waits for no pipe."""
    handle = os.open(path, _FLAGS | flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    return os.fdopen(handle, "rb")


def plain_sha256(path: Path) -> str:
    """sha256 of a plain file's bytes; memory stays flat. Raises OSError where there is none."""
    digest = hashlib.sha256()
    with open_plain(path) as stream:
        while chunk := stream.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


def is_plain(path: Path) -> bool:
    """Whether there is a plain file, and no link to one."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False
