"""Work side by side on a CPU: items are looked at at once, and each of them with one thread of computation.

Threads inside an operator change the order in which float32 numbers are summed: features moved by 2e-6 between one thread
and two. Threads over images change nothing, and idle ones do not spin.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(
    function: Callable[[T], R], items: Iterable[T], lanes: int, *, weight: Callable[[T], int], most: int
) -> Iterator[R]:
    """`function` of every item, in their order; at most `lanes` at once, and few are waiting.

    The `weight` of those that are held is at most `most`; a heavier one is held alone.

    >>> list(side_by_side(abs, [3, -1, -2], 2, weight=lambda x: 1, most=2))
    [3, 1, 2]
    """
    threads = torch.get_num_threads()
    waiting: deque[tuple[int, Future[R]]] = deque()
    pool = ThreadPoolExecutor(lanes, "evalkit-lane", initializer=torch.set_num_threads, initargs=(1,))
    try:
        for item in items:
            load = weight(item)
            while waiting and (len(waiting) > lanes or sum(each for each, _ in waiting) + load > most):
                yield waiting.popleft()[1].result()
            waiting.append((load, pool.submit(function, item)))
            del item  # no heavy item is held while the next one is made
            while sum(each for each, _ in waiting) >= most:
                yield waiting.popleft()[1].result()
        while waiting:
            yield waiting.popleft()[1].result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # a lane's call reaches threads that are started later
