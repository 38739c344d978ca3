"""Reading ahead with a few threads: ordered, never raising, within a budget of images and of pixels."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from evalkit.errors import BadImage, EvalkitError
from evalkit.images.decode import decode_with_source
from evalkit.images.sample import Admit, Pixels, Sample, Unreadable

AHEAD = 4  # images in flight for each thread
PIXELS = 2**25  # decoded pixels in flight, of all threads; one larger image is decoded alone

T = TypeVar("T")


class PixelBudget:
    """Decoded pixels that may wait to be used. The image that is asked for next is always admitted.

    None is admitted past an earlier one that waits, so that a large image is decoded beside none of its followers.
    """

    def __init__(self, most: int = PIXELS) -> None:
        self.most, self._held, self._next = most, dict[int, int](), 0
        self._waiting = set[int]()
        self._changed = threading.Condition()

    def admit(self, number: int, pixels: int) -> None:
        """Wait until image `number` may be decoded."""
        with self._changed:
            self._waiting.add(number)
            while number > self._next and (
                min(self._waiting) < number or sum(self._held.values()) + pixels > self.most
            ):
                self._changed.wait()
            self._waiting.discard(number)
            self._held[number] = pixels
            self._changed.notify_all()

    def taken(self, number: int) -> None:
        """Image `number` was used; the one behind it is asked for now."""
        with self._changed:
            self._held.pop(number, None)
            self._next = number + 1
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody waits any more."""
        with self._changed:
            self._next = 2**63
            self._changed.notify_all()


class PixelRoom:
    """Decoded pixels that threads hold at a time, in no order; a larger image is held alone."""

    def __init__(self, most: int = PIXELS) -> None:
        self.most, self._held, self._changed = most, 0, threading.Condition()

    @contextmanager
    def one(self) -> Iterator[Admit]:
        """What an image of this thread asks before it is decoded; its pixels are gone when the block ends."""
        mine = 0

        def admit(pixels: int) -> None:
            nonlocal mine
            with self._changed:
                self._changed.wait_for(lambda: not self._held or self._held + pixels <= self.most)
                self._held, mine = self._held + pixels, pixels

        try:
            yield admit
        finally:
            with self._changed:
                self._held -= mine
                self._changed.notify_all()


def read_ahead(loads: Iterable[Callable[[Admit], T]], threads: int) -> Generator[T, None, None]:
    """What each of `loads` gives, in order, at most `AHEAD * threads` images and `PIXELS` pixels ahead.

    `loads` is drawn from in the caller's thread, as late as possible. Closing the iterator early stops the threads.
    """
    if threads <= 1:
        yield from (load(lambda pixels: None) for load in loads)
        return
    budget = PixelBudget()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="evalkit-read")
    waiting: deque[Future[T]] = deque()
    done = 0
    try:
        for number, load in enumerate(loads):
            waiting.append(pool.submit(_begun, load, budget, number))
            if len(waiting) >= AHEAD * threads:
                yield waiting.popleft().result()
                budget.taken(done)
                done += 1
        while waiting:
            yield waiting.popleft().result()
            budget.taken(done)
            done += 1
    finally:
        budget.close()
        pool.shutdown(wait=True, cancel_futures=True)


def worked_ahead(
    samples: Iterable[Sample | Unreadable], work: Callable[[Sample | Unreadable], T], threads: int
) -> Generator[tuple[Sample | Unreadable, T], None, None]:
    """Each sample with what `work` makes of it in one of `threads` threads, in order.

    At most `AHEAD * threads` samples and `PIXELS` pixels wait, one larger image aside. What `work` raises is raised here.
    """
    if threads <= 1:
        for each in samples:
            made = work(each)
            yield each, made
            del each, made  # no image is held while the next one is decoded
        return
    waiting: deque[tuple[Sample | Unreadable, Future[T]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="evalkit-work") as pool:
        try:
            for each in samples:
                waiting.append((each, pool.submit(work, each)))
                while len(waiting) >= AHEAD * threads or sum(_pixels(held) for held, _ in waiting) > PIXELS:
                    yield _made(*waiting.popleft())
                del each  # no image is held while the next one is decoded
            while waiting:
                yield _made(*waiting.popleft())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _made(sample: Sample | Unreadable, made: Future[T]) -> tuple[Sample | Unreadable, T]:
    return sample, made.result()


def _pixels(sample: Sample | Unreadable) -> int:
    return sample.image.size // 3 if isinstance(sample, Sample) else 0  # of a clip, of all its frames


def sample_from_bytes(
    id: str,
    read: Callable[[], bytes],
    meta: Callable[[], Mapping[str, Any]] = dict,
    admit: Admit = lambda pixels: None,
) -> Sample | Unreadable:
    """The decoded sample, or why it cannot be had; `read` gives the file's bytes, `meta` what is known of it."""
    sha256 = None
    try:
        held = [read()]
        sha256 = hashlib.sha256(held[0]).hexdigest()
        known = meta()
        image, source = decode_with_source(held.pop(), admit=admit)  # which lets go of the file before it is done
        return Sample(id, image, sha256, known, source)
    except BadImage as error:
        return Unreadable(id, str(error), sha256)
    except EvalkitError as error:
        return Unreadable(id, f"what is known of it cannot be used: {error}", sha256)
    except MemoryError:
        return Unreadable(id, TOO_LARGE, sha256)
    except Exception as error:  # archives, file systems and streams raise many kinds; each costs only its own image
        return Unreadable(id, f"cannot be opened: {one_line(error)}", sha256)


def batched(
    samples: Iterable[Sample | Unreadable],
    most: int,
    *,
    pixels: int = PIXELS,
    alike: Callable[[Sample | Unreadable], object] = lambda each: None,
) -> Iterator[list[Sample | Unreadable]]:
    """Neighbours in lists of at most `most`; a list that has reached `pixels` is full, and one holds only what is `alike`.

    Each list is emptied when the next is asked for, so that no image is held while the next one is decoded.
    """
    reader = iter(samples)
    held: list[Sample | Unreadable] = []
    while (each := next(reader, None)) is not None:
        if held and alike(each) != alike(held[0]):
            yield held
            held.clear()
        held.append(each)
        del each
        if len(held) >= most or sum(map(_pixels, held)) >= pixels:
            yield held
            held.clear()
    if held:
        yield held


TOO_LARGE = "too large for this machine's memory"


def fitted(samples: Iterable[Sample | Unreadable], fit: Callable[[Pixels], Pixels]) -> Iterator[Sample | Unreadable]:
    """Samples with `fit` of their pixels, each made before the next one is decoded, so that few are whole in memory.

    `source["size"]` is (height, width) as decoded. An image for which there is no memory is unreadable.
    """
    reader = iter(samples)
    while (each := next(reader, None)) is not None:
        if isinstance(each, Sample):
            try:
                size = each.image.shape[:2]
                each = replace(each, image=fit(each.image), source={**each.source, "size": size})
            except MemoryError:
                each = Unreadable(each.id, TOO_LARGE, each.sha256)
        yield each
        del each


def shown(samples: Iterable[Sample | Unreadable]) -> Sample | None:
    """The one image of `samples` that is to be shown, None where it is gone; MemoryError where it does not fit now."""
    (sample,) = samples
    if isinstance(sample, Unreadable) and sample.reason == TOO_LARGE:
        raise MemoryError
    return sample if isinstance(sample, Sample) else None


def one_line(error: BaseException) -> str:
    """The first line of an error, or its kind."""
    return (str(error).splitlines() or [""])[0][:160] or type(error).__name__


def _begun(load: Callable[[Admit], T], budget: PixelBudget, number: int) -> T:
    budget.admit(number, 0)  # behind a large image not even the file is read
    return load(lambda pixels: budget.admit(number, pixels))
