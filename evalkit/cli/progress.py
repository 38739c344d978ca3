"""Progress with rate, time left and what bounds the run: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from evalkit.cli.every import said_here
from evalkit.cli.screen import Screen
from evalkit.jobs.progress import Progress as RunProgress
from evalkit.jobs.timers import Timers
from evalkit.text import visible

SOON, LATER = 5.0, 30.0  # seconds until the first plain line, and between two


class BarProgress(RunProgress):
    """Draws on standard error, so that standard output stays clean; the log file gets the plain lines too."""

    def __init__(self) -> None:
        self.console = Screen(stderr=True)
        self.said = said_here()
        self.bar: Progress | None = None
        self.task: TaskID | None = None
        self.title, self.total = "", 0
        self.done = self.before = 0
        self.began = self.next = 0.0
        self.stages: dict[str, float] = {}

    def start(self, title: str, total: int) -> None:
        """A bar for `total` samples."""
        self.title, self.total = visible(title), total
        self.done = self.before = 0
        self.began = time.perf_counter()
        self.next, self.stages = self.began + SOON, {}
        self.bar = Progress(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[bound]}"),
            console=self.console,
            transient=True,
            disable=self.said.quiet or not self.console.is_terminal,
        )
        self.task = self.bar.add_task(self.title, total=total, rate="", bound="")
        self.bar.start()

    def advance(self, samples: int, *, resumed: bool = False, timers: Timers | None = None) -> None:
        """Move the bar; samples of an earlier run count for the bar but not for the rate."""
        if self.bar is None or self.task is None:
            return
        if resumed:
            if samples:
                self.note(f"resuming: {samples} samples are done already")
            self.before += samples
            self.bar.update(self.task, advance=samples)
            return
        self.done += samples
        seconds = time.perf_counter() - self.began
        bound = timers.bound_by() if timers else None
        rate = _rate(self.done, seconds)
        why = ", ".join(part for part in (f"bound by {bound}" if bound else "", device_memory()) if part)
        self.bar.update(self.task, advance=samples, rate=rate, bound=why)
        if time.perf_counter() >= self.next:
            self.next = time.perf_counter() + LATER
            self._line(rate, why)

    def spent(self, seconds: Mapping[str, float]) -> None:
        """Kept for the summary of --verbose."""
        for stage, value in seconds.items():
            self.stages[stage] = self.stages.get(stage, 0.0) + value

    def note(self, message: str) -> None:
        """One line above the bar."""
        shown = visible(message, most=10_000)
        self.said.keep(shown)
        if not self.said.quiet:
            self.console.print(
                shown, style="dim", highlight=False, markup=False, soft_wrap=not self.console.is_terminal
            )

    def finish(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
            seconds = time.perf_counter() - self.began
            self.said.keep(f"{self.title}: {self.before + self.done:,} of {self.total:,} in {seconds:.1f} s")
            self.timed(self.title, self.stages)

    def timed(self, title: str, seconds: Mapping[str, float]) -> None:
        """One line for --verbose."""
        if self.said.verbose and seconds:
            longest = sorted(seconds.items(), key=lambda each: -each[1])
            self.note(f"{title}, seconds by stage: " + ", ".join(f"{stage} {t:.1f}" for stage, t in longest))

    def _line(self, rate: str, why: str) -> None:
        """How far the run is, in one plain line, where no bar says it."""
        at = self.before + self.done
        left = max(self.total - at, 0) * (time.perf_counter() - self.began) / max(self.done, 1)
        parts = [f"{self.title}: {at:,} of {self.total:,}", rate, f"{_duration(left)} left", why]
        line = ", ".join(part for part in parts if part)
        self.said.keep(line)
        if not self.said.quiet and not self.console.is_terminal:
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)


def _rate(done: int, seconds: float) -> str:
    """Samples a second, or the seconds of one where it takes many.

    >>> _rate(9, 2.0), _rate(1, 23.0)
    ('4.5 images/s', '23 s each')
    """
    if done <= 0 or seconds <= 0:
        return ""
    return f"{done / seconds:.1f} images/s" if done >= seconds / 5 else f"{_duration(seconds / done)} each"


def _duration(seconds: float) -> str:
    """Seconds in words of one or two units.

    >>> _duration(42), _duration(200), _duration(9000)
    ('42 s', '3 min', '2 h 30 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def device_memory() -> str:
    """How much of the GPU's memory is taken; empty without one, and torch is not imported to find out."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return ""
    free, total = torch.cuda.mem_get_info()
    return f"{(total - free) / 2**30:.1f} of {total / 2**30:.0f} GiB"
