"""Images of one shard after the other, so that the next shard is read while the last images of this one are in work."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Generic, TypeVar

from evalkit.images.loader import read_ahead, worked_ahead
from evalkit.images.sample import Admit, ImageSet, Load, Sample, Unreadable
from evalkit.jobs.shard import Shard
from evalkit.jobs.timers import Timers

T = TypeVar("T")
Each = tuple[Sample | Unreadable, T]
Work = Callable[[Sample | Unreadable, Timers], T]


class Reading(Generic[T]):
    """Reads shards with `work` on every image, by the thread that read it where the set has a way (`ImageSet.loads`).

    `work` is given the timers of its image, which hold the seconds of reading. Of other sets, time that is waited for
    images counts as `read` of the reader's own timers.
    """

    def __init__(self, images: ImageSet, work: Work[T], threads: int, timers: Timers) -> None:
        self.images, self.work, self.threads, self.timers = images, work, threads, timers
        self._reader: Generator[Each[T], None, None] | None = None
        self._next: Shard | None = None  # whose images the reader began to give

    @contextmanager
    def __call__(self, shard: Shard, upcoming: Callable[[], Shard | None]) -> Iterator[Iterator[Each[T]]]:
        """The images of the shard and, when those are read, of the one that is upcoming; take as many as are yours."""
        if self._reader is None or self._next != shard:
            self.close()
            self._reader = self._read(self._shards(shard, upcoming))
        self._next = None
        try:
            yield self._reader
        except BaseException:  # a shard that was left halfway
            self.close()
            raise

    def close(self) -> None:
        """Read no more."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._next = None

    def _read(self, shards: Iterator[Shard]) -> Generator[Each[T], None, None]:
        if self.images.loads(0, len(self.images)) is None:
            return worked_ahead(self._samples(shards), lambda each: self.work(each, Timers()), self.threads)
        loads = (load for shard in shards for load in self.images.loads(shard.start, shard.stop) or ())
        return read_ahead((partial(self._worked, load) for load in loads), self.threads)

    def _worked(self, load: Load, admit: Admit) -> Each[T]:
        timers = Timers()
        with timers("read"):
            each = load(admit)
        return each, self.work(each, timers)

    def _samples(self, shards: Iterator[Shard]) -> Iterator[Sample | Unreadable]:
        for shard in shards:
            yield from self.timers.over("read", self.images.read(shard.start, shard.stop, threads=self.threads))

    def _shards(self, first: Shard, upcoming: Callable[[], Shard | None]) -> Iterator[Shard]:
        shard = first
        while shard.exhibit is None:
            yield shard
            following = upcoming()
            if following is None or following == shard:  # this one was ahead already
                return
            shard = self._next = following
