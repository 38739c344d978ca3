"""The most memory that this process ever held, and nobody else."""

from __future__ import annotations

import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def process_peak(*, children: bool = False) -> int | None:
    """Peak resident bytes of this process since its program began; None where the system does not tell.

    `children`: at least those of the largest process that this one started and saw end.
    `ru_maxrss` of Linux also counts what the parent held before this program began, so it is asked elsewhere alone.
    """
    own = _high_water() or _used("RUSAGE_SELF")
    if own is None or not children:
        return own
    return max(own, _used("RUSAGE_CHILDREN") or 0)  # what those inherited is at most this process's own peak


def _high_water() -> int | None:
    """VmHWM of Linux in bytes."""
    try:
        said = STATUS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in said.splitlines() if line.startswith("VmHWM:")), None)


def _used(whose: str) -> int | None:
    """`ru_maxrss` in bytes: macOS tells bytes, other systems KiB; Windows tells nothing."""
    try:
        import resource
    except ImportError:
        return None
    return int(resource.getrusage(getattr(resource, whose)).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
