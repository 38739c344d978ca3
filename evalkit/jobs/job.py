"""What a job is: a plan of shards, a worker that does one, and a reduction of all. Engines only map."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from evalkit.jobs.progress import Progress
from evalkit.jobs.shard import Shard, ShardOutput, split
from evalkit.jobs.timers import Timers
from evalkit.runs.store import Run, RunStore


@dataclass(frozen=True)
class RunOptions:
    """Options that every job shares.

    `out`: run directory (default `runs/<task>-<model>-<hash>`). `limit`: only the first samples. `batch_size`: a number,
    or "auto". `keep`: which images stay. `weights`: FILE for a single model, or NAME=FILE each.
    `compile`: let torch compile the network.
    """

    out: Path | None = None
    limit: int | None = None
    batch_size: int | Literal["auto"] = "auto"
    device: str = "auto"
    dtype: str = "float32"
    seed: int = 0
    keep: Literal["none", "worst", "all"] = "worst"
    threads: int = 2
    weights: tuple[str, ...] = ()
    compile: bool = False
    command: tuple[str, ...] = ()
    progress: Progress = field(default_factory=Progress, compare=False)


class Worker(ABC):
    """Does shards; holds the models, so it is made once for a device and used for many shards."""

    @abstractmethod
    def process(self, shard: Shard, tick: Callable[[int], None]) -> ShardOutput:
        """The output of one shard; `tick(n)` after each batch of n samples."""


class Job(ABC):
    """One run directory's work."""

    title: str
    timers: Timers

    @abstractmethod
    def plan(self) -> Mapping[str, Any]:
        """Everything that decides the results, as plain data; equal plans resume each other."""

    @abstractmethod
    def shards(self) -> Sequence[Shard]:
        """The shards in fixed order."""

    @abstractmethod
    def worker(self, device: str) -> Worker:
        """A worker on `device`."""

    @abstractmethod
    def reduce(self, store: RunStore) -> Run:
        """Fold the finished shards into the sealed run."""

    @abstractmethod
    def present(self, run: Run) -> None:
        """Write the pages that show a sealed run to a person."""


__all__ = ["Job", "Progress", "RunOptions", "Shard", "Worker", "split"]
