"""A progress bar with rate, time left and what bounds the run."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from evalkit.jobs.progress import Progress as RunProgress
from evalkit.jobs.timers import Timers
from evalkit.text import visible


class BarProgress(RunProgress):
    """Draws on standard error, so that standard output stays clean; says little where no terminal is."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.bar: Progress | None = None
        self.task: TaskID | None = None
        self.done = 0
        self.began = 0.0

    def start(self, title: str, total: int) -> None:
        """A bar for `total` samples."""
        self.done, self.began = 0, time.perf_counter()
        self.bar = Progress(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[bound]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task(visible(title), total=total, rate="", bound="")
        self.bar.start()

    def advance(self, samples: int, *, resumed: bool = False, timers: Timers | None = None) -> None:
        """Move the bar; samples of an earlier run count for the bar but not for the rate."""
        if self.bar is None or self.task is None:
            return
        if resumed:
            if samples:
                self.note(f"resuming: {samples} samples are done already")
            self.bar.update(self.task, advance=samples)
            return
        self.done += samples
        seconds = time.perf_counter() - self.began
        bound = timers.bound_by() if timers else None
        self.bar.update(
            self.task,
            advance=samples,
            rate=f"{self.done / seconds:.1f} images/s" if seconds > 0 else "",
            bound=", ".join(part for part in (f"bound by {bound}" if bound else "", device_memory()) if part),
        )

    def note(self, message: str) -> None:
        """One line above the bar."""
        self.console.print(visible(message, most=10_000), style="dim", highlight=False, markup=False)

    def finish(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def device_memory() -> str:
    """How much of the GPU's memory is taken; empty without one, and torch is not imported to find out."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return ""
    free, total = torch.cuda.mem_get_info()
    return f"{(total - free) / 2**30:.1f} of {total / 2**30:.0f} GiB"
