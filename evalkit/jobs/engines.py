"""Engines by name: who works on the shards of a run."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from evalkit.errors import EvalkitError
from evalkit.jobs.options import EngineOptions
from evalkit.jobs.progress import Progress
from evalkit.jobs.shard import Shard
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import Task
from evalkit.jobs.timers import Timers
from evalkit.runs.store import RunStore

ENGINES = {
    "inline": ("evalkit.jobs.engine_inline", "Inline"),
    "local": ("evalkit.jobs.engine_local", "Local"),
    "ray": ("evalkit.jobs.engine_ray", "Ray"),
}


class Engine(Protocol):
    """Maps shards to workers; a shard's output depends on the spec alone, so any engine gives the same run."""

    timers: Timers  # of what is done beside the tasks' own stages

    def map(self, task: Task, spec: Spec, shards: Sequence[Shard], store: RunStore, progress: Progress) -> None:
        """Put the output of every shard into the store."""

    def said(self) -> Mapping[str, Any]:
        """What the record says of the engine: `name`, `workers`, and how many of them were `lost`."""

    def close(self) -> None:
        """End the workers."""


def engine_of(options: EngineOptions, device: str) -> Engine:
    """The engine that `options` name; raises `EvalkitError` where they do not fit together."""
    many = options.workers is not None and options.workers > 1
    name = options.name or ("local" if many else "inline")
    if name not in ENGINES:
        raise EvalkitError(f"there is no engine called {name!r}. Give one of {', '.join(ENGINES)}")
    if name == "inline" and many:
        raise EvalkitError("the inline engine is one process. Give --engine local or --engine ray with --workers")
    if name != "ray" and options.address is not None:
        raise EvalkitError("an address is that of a Ray cluster. Give --engine ray with --address")
    module, kind = ENGINES[name]
    made: Engine = getattr(importlib.import_module(module), kind)(device, options)
    return made
