"""Memory that was freed goes back to the system."""

from __future__ import annotations

import ctypes
import mmap
import sys


def give_back() -> None:
    """Hand back what the C library keeps for later use; nothing happens where that is not glibc."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return


def give_back_part(address: int, size: int) -> None:
    """Hand back the whole pages among `size` bytes at `address`, which nobody reads again; on Linux alone."""
    begin, end = -(-address // mmap.PAGESIZE) * mmap.PAGESIZE, (address + size) // mmap.PAGESIZE * mmap.PAGESIZE
    advice = getattr(mmap, "MADV_DONTNEED", None)
    if advice is None or not sys.platform.startswith("linux") or begin >= end:
        return
    try:
        ctypes.CDLL(None).madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), advice)
    except (AttributeError, OSError):
        return
