"""Where a run's time goes, by stage, so that it can say what bounds it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
START = "start-up"  # the stage before a run's first


class Timers:
    """Seconds by stage; `wall` is the time since the first use.

    >>> timers = Timers()
    >>> with timers("metrics"):
    ...     pass
    >>> timers.bound_by()
    'metrics'
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.started = time.perf_counter()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the time of the block to `stage`."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - begin

    def over(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """The items; the time of making each is added to `stage`."""
        made = iter(items)
        while True:
            with self(stage):
                each = next(made, None)
            if each is None:
                return
            yield each
            del each

    def add(self, stage: str, seconds: float) -> None:
        """Add seconds that were measured otherwise; threads may have counted more than there were, which adds nothing."""
        self.seconds[stage] = max(0.0, self.seconds.get(stage, 0.0) + seconds)

    def since(self, moment: float) -> None:
        """Count from an earlier moment; what lies between is start-up: imports, the plan, digests of the data."""
        self.add(START, self.started - moment)
        self.started = moment

    def taken(self) -> dict[str, float]:
        """Seconds by stage since the last call, for the output of a shard."""
        found, self.seconds = self.seconds, {}
        return found

    @property
    def wall(self) -> float:
        """Seconds since the timers were made."""
        return time.perf_counter() - self.started

    def bound_by(self) -> str | None:
        """The stage that took longest, None before anything ran."""
        return longest(self.seconds)

    def record(self, images: int) -> dict[str, Any]:
        """What a run's record says of its time; `images` were worked on."""
        return spent(self.seconds, self.wall, images)


class Shares:
    """Seconds that a thread waits for others, shared among the stages that those are in meanwhile.

    >>> timers = Timers()
    >>> shares = Shares(timers)
    >>> with shares.waiting():
    ...     pass
    >>> shares.add({"decode": 3.0, "encode": 1.0})
    >>> shares.close()
    >>> timers.bound_by()
    'decode'
    """

    def __init__(self, timers: Timers) -> None:
        self._timers, self._waited = timers, 0.0
        self._theirs: dict[str, float] = {}

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Time of the block, but for what `timers` count within it."""
        began, counted = time.perf_counter(), sum(self._timers.seconds.values())
        try:
            yield
        finally:
            within = sum(self._timers.seconds.values()) - counted
            self._waited += max(0.0, time.perf_counter() - began - within)

    def add(self, seconds: Mapping[str, float]) -> None:
        """Seconds by stage of another thread."""
        for stage, spent in seconds.items():
            self._theirs[stage] = self._theirs.get(stage, 0.0) + spent

    def close(self) -> None:
        """Give the waited seconds to the stages."""
        total = sum(self._theirs.values())
        for stage, seconds in self._theirs.items():
            self._timers.add(stage, self._waited * seconds / total if total else 0.0)


def longest(seconds: Mapping[str, float]) -> str | None:
    """The stage that took longest, None where there is none."""
    return max(seconds, key=lambda stage: seconds[stage]) if seconds else None


ADVICE = {
    START: "give more images to one command, since starting takes longer than the work",
    "open": "give more images to one command, since loading the models takes longer than the work",
    "read": "raise --threads, or give --workers",
    "store": "keep fewer images (--keep none), or write to a faster disk",
    "aggregate": "leave out metrics that compare all images with all, such as prdc",
}


def advice(stage: str) -> str:
    """The one change that shortens a run that is bound by `stage`."""
    return ADVICE.get(stage, "give --workers, or a faster device")


def spent(seconds: Mapping[str, float], wall: float, images: int) -> dict[str, Any]:
    """What a run's record says of its time: seconds by stage, in all, and images per second."""
    return {
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "wall_seconds": round(wall, 3),
        "images_per_second": round(images / wall, 3) if wall else None,
        "bound_by": longest(seconds),
    }
