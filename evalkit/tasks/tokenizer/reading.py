"""Images of one shard after the other, so that the next shard is read while the last images of this one are in work."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from evalkit.images.loader import worked_ahead
from evalkit.images.sample import ImageSet, Sample, Unreadable
from evalkit.jobs.shard import Shard
from evalkit.jobs.timers import Timers

T = TypeVar("T")
Each = tuple[Sample | Unreadable, T]


class Reading(Generic[T]):
    """Reads shards with `work` on every image; time that is waited for images counts as `read`."""

    def __init__(
        self, images: ImageSet, work: Callable[[Sample | Unreadable], T], threads: int, timers: Timers
    ) -> None:
        self.images, self.work, self.threads, self.timers = images, work, threads, timers
        self._reader: Generator[Each[T], None, None] | None = None
        self._next: Shard | None = None  # whose images the reader began to give

    @contextmanager
    def __call__(self, shard: Shard, upcoming: Callable[[], Shard | None]) -> Iterator[Iterator[Each[T]]]:
        """The images of the shard and, when those are read, of the one that is upcoming; take as many as are yours."""
        if self._reader is None or self._next != shard:
            self.close()
            self._reader = worked_ahead(self._images(shard, upcoming), self.work, self.threads)
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

    def _images(self, first: Shard, upcoming: Callable[[], Shard | None]) -> Iterator[Sample | Unreadable]:
        shard = first
        while shard.exhibit is None:
            images = self.images.read(shard.start, shard.stop, threads=self.threads)
            while True:
                with self.timers("read"):
                    each = next(images, None)
                if each is None:
                    break
                yield each
                del each
            following = upcoming()
            if following is None or following == shard:  # this one was ahead already
                return
            shard = self._next = following
