"""Reading ahead with a few threads and a bounded queue: ordered, never raising, flat in memory."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from evalkit.errors import BadImage
from evalkit.images.decode import decode_with_source
from evalkit.images.sample import Sample, Unreadable

AHEAD = 4  # images in flight for each thread

Load = Callable[[int], Sample | Unreadable]


def read_ahead(load: Load, start: int, stop: int, threads: int) -> Iterator[Sample | Unreadable]:
    """`load(i)` for i from `start` to `stop`, in order, at most `AHEAD * threads` images ahead.

    Closing the iterator early stops the threads.
    """
    if threads <= 1:
        yield from map(load, range(start, stop))
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="evalkit-read")
    waiting: deque[Future[Sample | Unreadable]] = deque()
    try:
        for index in range(start, stop):
            waiting.append(pool.submit(load, index))
            if len(waiting) >= AHEAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def sample_from_bytes(id: str, read: Callable[[], bytes], meta: Mapping[str, Any]) -> Sample | Unreadable:
    """The decoded sample, or why it cannot be had; `read` gives the file's bytes."""
    try:
        data = read()
    except (OSError, KeyError, RuntimeError, ValueError, EOFError) as error:
        return Unreadable(id, f"cannot be opened: {(str(error).splitlines() or [type(error).__name__])[0][:160]}")
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        image, source = decode_with_source(data)
        return Sample(id, image, sha256, meta, source)
    except BadImage as error:
        return Unreadable(id, str(error), sha256)
    except MemoryError:
        return Unreadable(id, "too large for this machine's memory", sha256)
