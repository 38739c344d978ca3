"""A tokenizer run's results folded again from samples.parquet and statistics/, without model or images."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow.compute as pc

from evalkit.jobs.job import RunOptions
from evalkit.metrics.frechet import frechet_distance
from evalkit.metrics.moments import load_moments
from evalkit.protocols import Protocol, load_protocol
from evalkit.runs.store import Run, RunStore, results_json
from evalkit.tasks.tokenizer.distances import TASK, distances
from evalkit.tasks.tokenizer.results import fold_results

if TYPE_CHECKING:
    from evalkit.tasks.tokenizer.job import TokenizerJob

Key = tuple[str, ...]
SHARD = "statistics"


@dataclass(frozen=True)
class _Feed:
    protocol: Protocol


@dataclass(frozen=True)
class _Named:
    name: str


@dataclass(frozen=True)
class _Judges:
    """The judges as the record remembers them."""

    tasks: frozenset[str]
    unavailable: Mapping[str, str]
    extractors: Mapping[str, tuple[str, ...]]

    def extractors_of(self, protocol: Protocol) -> tuple[str, ...]:
        return self.extractors[protocol.id]


@dataclass(frozen=True)
class _Job:
    """What the fold asks a job for."""

    feeds: tuple[_Feed, ...]
    judges: _Judges
    images: _Named
    options: RunOptions


def recomputed(run: Run) -> tuple[list[dict[str, Any]], frozenset[Key]]:
    """Result rows as results.json would hold them, and keys (task, data, metric, protocol) of those without interval.

    Without extrapolations to infinitely many images, and without shares of single scales and bits, whose statistics are
    not kept. Distances of more images than dimensions keep their moments only: these give the value, and no interval.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _folded(run, RunStore(Path(folder)))


def _folded(run: Run, store: RunStore) -> tuple[list[dict[str, Any]], frozenset[Key]]:
    protocols, metrics = [load_protocol(each["id"]) for each in run.record["protocols"]], distances()
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    moments: dict[Key, float] = {}
    extractors: dict[str, tuple[str, ...]] = {}
    for protocol in protocols:
        codes = run.path / "statistics" / f"{protocol.id}-codes.npz"
        if codes.exists():
            arrays[f"{protocol.id}|codes"] = _arrays(codes)["counts"]
        ready = []
        for name in _extractors(run, protocol):
            kept = run.path / "statistics" / f"{protocol.id}-{metrics[name].name}.npz"
            found = _arrays(kept) if kept.exists() else {}
            if "original" in found and "reconstruction" in found:
                for which in ("original", "reconstruction"):
                    arrays[f"{protocol.id}|{name}|{which}"] = found[which]
            elif found:
                pair = load_moments(kept)
                key = (TASK, run.record["data"]["name"], metrics[name].name, protocol.id)
                moments[key] = frechet_distance(pair["original"], pair["reconstruction"])
            if "original" in found or _has_reason(run, protocol, name):
                ready.append(name)
        extractors[protocol.id] = tuple(ready)
    rows = _fold(run, store, protocols, arrays, extractors)
    said = {key_of(row): row for row in run.results}
    rows += [{**said[key], "value": value} for key, value in moments.items() if key in said]
    return rows, frozenset(moments)


def key_of(row: Mapping[str, Any]) -> Key:
    """Task, data set, metric and protocol: what a result row is about."""
    return row["task"], row["dataset"], row["metric"], row["protocol"]


def _extractors(run: Run, protocol: Protocol) -> list[str]:
    """The protocol's own, and those whose distances the results name besides."""
    shown = {row["metric"] for row in run.results if row["protocol"] == protocol.id and row["task"] == TASK}
    own = protocol.distribution.extractors
    return [*own, *(name for name, metric in distances().items() if metric.name in shown and name not in own)]


def _has_reason(run: Run, protocol: Protocol, name: str) -> bool:
    """Whether the record or the number of images says why there is no distance."""
    mine = pc.and_(pc.equal(run.samples["protocol"], protocol.id), pc.is_null(run.samples["error"]))
    return name in run.record["judges"]["unavailable"] or (pc.sum(mine).as_py() or 0) < 2


def _fold(
    run: Run,
    store: RunStore,
    protocols: list[Protocol],
    arrays: Mapping[str, np.ndarray[Any, Any]],
    extractors: Mapping[str, tuple[str, ...]],
) -> list[dict[str, Any]]:
    (store.shards / SHARD).mkdir(parents=True)
    held: dict[str, Any] = dict(arrays)
    np.savez(store.shards / SHARD / "arrays.npz", **held)
    plan = run.record["plan"]
    judges = _Judges(frozenset(plan["tasks"]) - {"fid-infinity"}, run.record["judges"]["unavailable"], extractors)
    options = RunOptions(seed=plan["seed"])
    job = _Job(tuple(_Feed(each) for each in protocols), judges, _Named(run.record["data"]["name"]), options)
    results = fold_results(store, [SHARD], run.samples, cast("TokenizerJob", job))
    rows: list[dict[str, Any]] = json.loads(results_json(results))
    return rows


def _arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(path, allow_pickle=False) as held:
        return dict(held)
