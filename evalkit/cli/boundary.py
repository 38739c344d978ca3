"""The command line's boundary: what the machine refuses is one sentence and exit code 2, as what a user mistook is."""

from __future__ import annotations

import errno
import signal
import threading
from types import FrameType

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
SHUT = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
AGAIN = "Type the same command again to go on"


def sentence(error: OSError | MemoryError) -> str:
    """What to say of an error of the machine, and what to do about it."""
    if isinstance(error, MemoryError):
        return "there is not enough memory. Give a smaller --batch-size or --limit, and type the command again"
    file = error.filename or error.filename2
    where = f"{file}: " if isinstance(file, str) and file else ""
    if error.errno in FULL:
        return f"{where}the disk is full. Free some space. {AGAIN}"
    if error.errno in SHUT:
        return f"{where}it may not be written or read ({error.strerror}). Give a place of yours with --out"
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
        return f"{where}{error.strerror or 'it is not there'}. Check the path"
    return f"{where}{error.strerror or error or type(error).__name__}. {AGAIN}"


def terminate_as_interrupt() -> None:
    """SIGTERM ends a run as Ctrl-C does: what is done is kept, and the same command resumes it."""
    if threading.current_thread() is threading.main_thread():  # others may set no handler
        signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
