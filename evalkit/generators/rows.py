"""How many requests run at once: as many as memory holds, in batches of a few sizes."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # batches are filled up to the next of these
SHARE = {"cuda": 0.8, "cpu": 0.5}  # of the free memory
RESERVE = 2**30  # bytes for decoding, which takes one image at a time


def batch_size(count: int, rows: int) -> int:
    """The size at which `count` requests run: the next of `SIZES`, at most `rows`.

    >>> batch_size(5, 64), batch_size(5, 6), batch_size(1, 8)
    (8, 6, 1)
    """
    return min(rows, next((size for size in SIZES if size >= count), rows))


def fitting(each: int | None, usual: int, on_cpu: int, device: torch.device | str) -> int:
    """Rows of `each` bytes that the device's free memory holds, a power of two; `usual` where nothing is known.

    `on_cpu`: the most that a processor takes, which larger batches hardly make faster.
    """
    kind = torch.device(device).type
    free = FREE.get(kind, lambda: None)()
    if each is None or free is None:
        return usual
    most = max(1, int((SHARE[kind] * free - RESERVE) / max(each, 1)))
    limit = on_cpu if kind == "cpu" else SIZES[-1]
    return max(size for size in SIZES if size <= max(1, min(most, limit)))


def _free_cuda() -> int | None:
    return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else None


def _free_cpu() -> int | None:
    """Bytes that this process could still have, where the system tells."""
    try:
        with open("/proc/meminfo") as lines:
            found = {name: rest for name, _, rest in (line.partition(":") for line in lines)}
        return int(found["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, OSError, ValueError):
        return None


FREE: dict[str, Callable[[], int | None]] = {"cuda": _free_cuda, "cpu": _free_cpu}
