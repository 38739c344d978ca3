"""Where a run's time goes, by stage, so that it can say what bounds it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


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

    @property
    def wall(self) -> float:
        """Seconds since the timers were made."""
        return time.perf_counter() - self.started

    def bound_by(self) -> str | None:
        """The stage that took longest, None before anything ran."""
        return max(self.seconds, key=lambda stage: self.seconds[stage]) if self.seconds else None

    def record(self, images: int) -> dict[str, Any]:
        """What a run's record says of its time; `images` were worked on."""
        return {
            "seconds": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
            "wall_seconds": round(self.wall, 3),
            "images_per_second": round(images / self.wall, 3) if self.wall else None,
            "bound_by": self.bound_by(),
        }
