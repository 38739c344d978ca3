"""Runs a task: shards that are not done are mapped, their parts aggregated, and the run sealed. This process does it all."""

from __future__ import annotations

import hashlib
import re
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from evalkit.errors import EvalkitError
from evalkit.jobs.behind import Behind
from evalkit.jobs.engines import Engine, engine_of
from evalkit.jobs.options import EngineOptions
from evalkit.jobs.progress import Progress
from evalkit.jobs.retry import changed_sources, failures, retry
from evalkit.jobs.shard import Shard
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import Task, Worker
from evalkit.jobs.timers import Timers, advice, longest, spent
from evalkit.jsonio import canonical_json
from evalkit.runs.durable import write_bytes
from evalkit.runs.lock import Lock
from evalkit.runs.record import environment, now
from evalkit.runs.store import SAMPLES, Run, RunStore, read_run
from evalkit.runs.store_objects import open_store
from evalkit.runs.tables import columns_of, table_of
from evalkit.version import __version__

PAGE = "report.html"
LONG = 60.0  # seconds from which a run says what would shorten it


class Inline:
    """One worker in this process, opened for the first shard and kept for exhibits."""

    def __init__(self, device: str = "auto", options: EngineOptions | None = None) -> None:
        self.device, self.timers = device, Timers()
        self._worker: Worker | None = None

    def map(self, task: Task, spec: Spec, shards: Sequence[Shard], store: RunStore, progress: Progress) -> None:
        """One shard after the other."""
        if not shards:
            return
        with self.timers("open"):
            self._worker = self._worker or task.open(spec, self.device)
        left = deque(shards)
        self._worker.upcoming = lambda: left[0] if left else None
        with Behind(store) as behind:
            while left:
                shard = left.popleft()
                began = time.perf_counter()
                output = self._worker.process(shard, progress.advance if shard.exhibit is None else _unseen)
                self.timers.add("between stages", time.perf_counter() - began - sum(output.seconds.values()))
                with self.timers("store"):
                    behind.put(shard.key, output)
                progress.spent(output.seconds)
            with self.timers("store"):
                behind.settle()

    def said(self) -> Mapping[str, Any]:
        """This process."""
        return {"name": "inline", "workers": 1, "lost": 0}

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None


def _unseen(samples: int) -> None:
    """What a second pass looks at counted in the first."""


def run_folder(spec: Spec, label: str) -> Path:
    """The folder of a run that was given none: runs/<task>-<label>-<hash of the plan>."""
    digest = hashlib.sha256(canonical_json(spec.plan())).hexdigest()[:10]
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", label).strip("-")[:40]
    return Path("runs") / f"{spec.task}-{name}-{digest}"


def run_task(
    task: Task,
    spec: Spec,
    out: Path,
    *,
    command: Sequence[str] = (),
    device: str = "auto",
    progress: Progress | None = None,
    engine: Engine | EngineOptions | None = None,
    retry_failed: bool = False,
) -> Run:
    """Do what is not done yet of `spec` in the folder `out`, then aggregate and seal; a sealed run is read back at once.

    `engine`: who works on the shards [this process]. The same call resumes: finished shards are kept. `retry_failed`:
    samples that failed are done again (`jobs.retry`). Raises `EvalkitError` where `out` holds another run, or another
    process writes it.
    """
    told, store = progress or Progress(), open_store(out)
    if store.sealed and not retry_failed:
        store.begin(spec.plan(), partial(changed_sources, task, spec, store))
        told.note(f"{store.path} is complete already; nothing to do (remove it, or give --out, to run again)")
        return _shown(task, store)
    chosen = engine or EngineOptions()
    workers = engine_of(chosen, device) if isinstance(chosen, EngineOptions) else chosen
    with Lock(out):
        if retry_failed:
            retry(task, spec, store, told)
        with workers.timers("store"):
            store.begin(spec.plan(), partial(changed_sources, task, spec, store))
        if store.sealed:
            told.note(f"nothing failed in {store.path}")
            return _shown(task, store)
        try:
            _work(task, spec, store, workers, told, command)
        except EvalkitError:
            store.abandon()
            raise
        finally:
            workers.close()
        try:
            return _shown(task, store)
        finally:
            store.settle()


class Wishes(Protocol):
    """What every task's options say of how its run is made."""

    @property
    def command(self) -> Sequence[str]:
        """The command line, for the record."""

    @property
    def device(self) -> str:
        """auto, cpu, cuda, cuda:0 or mps."""

    @property
    def progress(self) -> Progress:
        """Who is told."""

    @property
    def retry_failed(self) -> bool:
        """Whether samples that failed are done again."""

    @property
    def engine(self) -> EngineOptions:
        """Who works on the shards."""


def run_as_wished(task: Task, spec: Spec, out: Path, wishes: Wishes) -> Run:
    """`run_task` with what a task's options say of it."""
    return run_task(
        task,
        spec,
        out,
        command=wishes.command,
        device=wishes.device,
        progress=wishes.progress,
        engine=wishes.engine,
        retry_failed=wishes.retry_failed,
    )


def _work(task: Task, spec: Spec, store: RunStore, engine: Engine, told: Progress, command: Sequence[str]) -> None:
    clock = engine.timers
    if told.since is not None:
        clock.since(told.since)
        told.since = None
    shards = task.shards(spec)
    with clock("store"):
        left = [shard for shard in shards if not store.has(shard.key)]
    told.start(task.title(spec), sum(shard.size for shard in shards))
    told.advance(sum(s.size for s in shards) - sum(s.size for s in left), resumed=True)
    try:
        engine.map(task, spec, left, store, told)
        keys = [shard.key for shard in shards]
        with clock("aggregate"):
            done = task.aggregate(spec, store.parts(keys))
            store.write(done.rows, done.results, done.files, task.schema(spec))
            second = _exhibits(task, spec, store)
        engine.map(task, spec, [shard for shard in second if not store.has(shard.key)], store, told)
    finally:
        told.finish()
    exhibited = [shard.key for shard in second]
    with clock("store"):
        store.place([*keys, *exhibited])
    facts = _together(done.facts, store.parts(exhibited).facts())
    bound = _seal(task, spec, store, engine, command, [*keys, *exhibited], facts)
    if clock.wall > LONG and bound is not None:
        told.note(f"bound by {bound}; to be faster, {advice(bound)}")


def _seal(
    task: Task,
    spec: Spec,
    store: RunStore,
    engine: Engine,
    command: Sequence[str],
    keys: Sequence[str],
    facts: Mapping[str, Any],
) -> str | None:
    """Write the record; the stage that the run was bound by."""
    with engine.timers("environment"):
        device = str(getattr(engine, "device", "auto"))
        where = environment(device, elsewhere=not isinstance(engine, Inline))
    stages = {**store.parts(keys).seconds(), **engine.timers.seconds}
    store.seal(
        {
            "evalkit": __version__,
            "task": spec.task,
            "command": list(command),
            "created": now(),
            "seed": spec.seed,
            "plan": spec.plan(),
            "protocols": [],
            "environment": where,
            "engine": dict(engine.said()),
            "timings": spent(stages, engine.timers.wall, task.size(spec)),
            **facts,
        },
        keep=_some_failed(store),
    )
    return longest(stages)


def _some_failed(store: RunStore) -> bool:
    path = store.path / SAMPLES
    return "error" in columns_of(path).names and failures(table_of(path, ["error"])) > 0


def _exhibits(task: Task, spec: Spec, store: RunStore) -> Sequence[Shard]:
    """The second pass; samples are read back only where the task has one."""
    if type(task).exhibits is Task.exhibits:
        return ()
    return task.exhibits(spec, table_of(store.path / SAMPLES))


def _together(facts: Mapping[str, Any], more: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Facts of the aggregation with those of exhibits, which add to dictionaries of the same name."""
    found = dict(facts)
    for each in more:
        for name, value in each.items():
            both = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
            found[name] = {**found[name], **value} if both else value
    return found


def _shown(task: Task, store: RunStore) -> Run:
    """The sealed run with its page, which the record lists too."""
    page = store.path / PAGE
    if not page.exists() and (html := task.page(read_run(store.path))) is not None:
        write_bytes(page, html.encode("utf-8", "surrogatepass"))
    store.cover(PAGE)
    return read_run(store.path)
