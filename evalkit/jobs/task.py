"""The contract of every task: plain data in, shards by a worker, one pure aggregation, and a sealed run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import Checks
from evalkit.jobs.shard import Shard, ShardOutput, Sources, split
from evalkit.jobs.spec import FORMAT, Spec, spec_of
from evalkit.metrics.npz import arrays_of
from evalkit.registry import Registry, Table
from evalkit.runs.shards import MemoryParts, Parts
from evalkit.runs.store import Result, Run

Tick = Callable[[int], None]


@dataclass(frozen=True)
class Aggregated:
    """What finished shards come to.

    `rows`: tables of samples.parquet in order. `results`: one for each number. `files`: statistics and other files of the
    run by relative path, each as bytes or in pieces that are read once. `facts`: what the record says besides the plan.
    """

    rows: Iterable[pa.Table]
    results: Sequence[Result]
    files: Mapping[str, bytes | Iterable[bytes]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def _nothing() -> Shard | None:
    return None


class Worker(ABC):
    """Holds the models of one spec on one device; opened once and used for many shards.

    `upcoming`: set by the engine, says which shard comes after the one in work, None where nobody knows. A worker may ask
    it within `process`, when it has read all of its shard, and begin to read the next one.
    """

    upcoming: Callable[[], Shard | None] = staticmethod(_nothing)

    @abstractmethod
    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """The output of one shard, of the first pass or of an exhibit; `tick(n)` after each batch of n samples."""

    def close(self) -> None:  # noqa: B027
        """Give back what lies outside this process (programs, connections, files)."""


class Task(ABC):
    """One kind of run. Its methods read the spec and what they are given, and keep nothing."""

    name: str
    derived: tuple[
        str, ...
    ] = ()  # files and folders that are made from the sealed run, and go when it is taken up again

    @abstractmethod
    def size(self, spec: Spec) -> int:
        """Number of samples."""

    @abstractmethod
    def schema(self, spec: Spec) -> pa.Schema:
        """Columns of samples.parquet."""

    @abstractmethod
    def open(self, spec: Spec, device: str) -> Worker:
        """A worker with its models loaded; raises `EvalkitError` where a name, a file or a digest is wrong."""

    @abstractmethod
    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """Rows, results, statistics and facts; no model, no store, and the same for any split into shards."""

    @abstractmethod
    def checks(self) -> Checks:
        """What `verify` can recompute, score again and regenerate."""

    def title(self, spec: Spec) -> str:
        """What a progress bar calls the run."""
        model = spec.models.get("model")
        return model.name if model else spec.task

    def shards(self, spec: Spec) -> Sequence[Shard]:
        """The first pass."""
        return split(self.size(spec), spec.shard)

    def exhibits(self, spec: Spec, samples: pa.Table) -> Sequence[Shard]:
        """A second pass over chosen samples: worst images, heat maps, timing baselines; their files and facts are kept."""
        return ()

    def page(self, run: Run) -> str | None:
        """The HTML of report.html; None where the task has no page."""
        return None

    def parts(self, run: Run) -> Parts:
        """What `aggregate` needs, from a sealed run's rows and statistics, for `verify`."""
        return MemoryParts(run.samples, statistics(run), run.record)

    def sources(self, spec: Spec) -> Sources | None:
        """What shards are read from now, so that those whose inputs changed are done again; None where inputs are no files.

        A shard's rows name them by `id` and `source_sha256` or `sha256`, or its facts do by `sources`.
        """
        return None

    def spec(self, run: Run) -> Spec:
        """The spec of a sealed run, without sources; `upgrade` reads those of format 1."""
        plan = run.record["plan"]
        return spec_of(plan) if plan.get("format") == FORMAT else self.upgrade(run)

    def upgrade(self, run: Run) -> Spec:
        """The spec of a run that an evalkit before format 2 sealed."""
        raise EvalkitError(f"{run.path} has a plan that {self.name} never wrote. Give a run that evalkit sealed")


def statistics(run: Run) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of statistics/*.npz as `<file stem>|<name>`."""
    found: dict[str, np.ndarray[Any, Any]] = {}
    for file in sorted((run.path / "statistics").glob("*.npz")):
        found.update({f"{file.stem}|{name}": array for name, array in arrays_of(file).items()})
    return found


MODULES = {
    "tokenizer": "evalkit.tasks.tokenizer.task",
    "generate": "evalkit.tasks.generate.task",
    "score": "evalkit.tasks.score.task",
    "likelihood": "evalkit.tasks.likelihood.task",
    "paired": "evalkit.tasks.paired.task",
    "captions": "evalkit.tasks.captions.task",
    "views": "evalkit.tasks.views.task",
    "probe": "evalkit.tasks.probe.task",
    "probe-rounds": "evalkit.tasks.probe.rounds.task",
    "decoder-train": "evalkit.tasks.probe.decoder.train_task",
    "decoder": "evalkit.tasks.probe.decoder.ask_task",
    "watermark": "evalkit.watermark.embed.task",
    "watermark-detect": "evalkit.watermark.detection.task",
    "watermark-calibrate": "evalkit.watermark.detection.calibrate_task",
    "watermark-attack": "evalkit.watermark.attacks.task",
    "watermark-robustness": "evalkit.watermark.robustness.task",
    "erasure-check": "evalkit.erasure.check.task",
}


TASKS: Registry[Task] = Registry("task", entry_point_group="evalkit.tasks", table=Table(MODULES))
