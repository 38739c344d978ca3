"""What a run tells while it works."""

from __future__ import annotations

from collections.abc import Mapping

from evalkit.jobs.timers import Timers


class Progress:
    """This one is silent; the command line's draws a bar.

    `since`: when the command began whose first run is told, on the clock of `time.perf_counter`; its run counts from then.
    """

    since: float | None = None

    def start(self, title: str, total: int) -> None:
        """`total` samples lie ahead."""

    def advance(self, samples: int, *, resumed: bool = False, timers: Timers | None = None) -> None:
        """`samples` more are done (`resumed`: they were done by an earlier run)."""

    def spent(self, seconds: Mapping[str, float]) -> None:
        """Seconds by stage that a finished shard took."""

    def timed(self, title: str, seconds: Mapping[str, float]) -> None:
        """What took how long of something that has come to its end."""

    def note(self, message: str) -> None:
        """Something that a person wants to know now."""

    def finish(self) -> None:
        """The run is over."""
