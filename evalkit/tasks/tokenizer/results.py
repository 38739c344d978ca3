"""From rows and features to results: one number with an interval for each task, data set, metric and protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.metrics.metric import Metric, Parts
from evalkit.metrics.registry import of_task
from evalkit.metrics.text_rates import ERROR, RECONSTRUCTION
from evalkit.protocols import Protocol
from evalkit.runs.store import Result, RunStore
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.tokenizer.distances import INFINITE, distribution_results, infinity_results, stored_features
from evalkit.tasks.tokenizer.distances import TASK as DISTRIBUTION
from evalkit.tasks.tokenizer.numbers import aggregated, measured
from evalkit.tasks.tokenizer.texts import text_results

if TYPE_CHECKING:
    from evalkit.tasks.tokenizer.job import TokenizerJob

RECONSTRUCTION_TASK, DETAIL, TEXT, CODES = "reconstruction", "detail", "text", "codes"
IMAGE_TASKS = (RECONSTRUCTION_TASK, DETAIL, TEXT)
MODEL_TASKS = ("survival", "shift")


def fold_results(store: RunStore, keys: Sequence[str], samples: pa.Table, job: TokenizerJob) -> list[Result]:
    """All results of the run, in the order of protocols, data sets and metrics."""
    results: list[Result] = []
    tasks, name = job.judges.tasks, job.images.name
    for feed in job.feeds:
        protocol = feed.protocol
        mine = samples.filter(pc.equal(samples["protocol"], protocol.id))
        good = mine.filter(pc.is_null(mine["error"]))
        for given, dataset, part in _parts(good, job):
            results += _part_results(given, dataset, Parts(part, protocol, job.options.seed), job)
        extractors = job.judges.extractors_of(protocol)
        features = stored_features(store, keys, protocol, extractors)
        counts = _counts(store, keys, protocol) if CODES in tasks else None
        whole = Parts(good, protocol, job.options.seed, features, counts)
        if DISTRIBUTION in tasks:
            results += distribution_results(store, name, extractors, whole, job.judges.unavailable)
        if INFINITE in tasks:
            results += infinity_results(name, whole, job.judges.unavailable)
        for task in (each for each in MODEL_TASKS if each in tasks):
            results += _model_results(task, store, keys, whole, job)
        if CODES in tasks:
            results += [row for metric in of_task(CODES) for row in aggregated(CODES, name, metric, whole)]
    return results


def _parts(good: pa.Table, job: TokenizerJob) -> Iterator[tuple[str | None, str, pa.Table]]:
    """(task that the data states, data set name, rows) for each subset of the set."""
    pairs = good.group_by(["task", "subset"], use_threads=False).aggregate([]).to_pylist()
    pairs.sort(key=lambda pair: IMAGE_TASKS.index(pair["task"]) if pair["task"] in IMAGE_TASKS else 0)
    for pair in pairs:
        keep = pc.and_(_same(good["task"], pair["task"]), _same(good["subset"], pair["subset"]))
        name = job.images.name
        subset = pair["subset"]
        dataset = f"{name}/{subset}" if subset and not name.endswith(f"/{subset}") else name
        yield pair["task"], dataset, good.filter(keep)


def _same(column: pa.ChunkedArray, value: str | None) -> Any:
    return pc.is_null(column) if value is None else pc.fill_null(pc.equal(column, value), False)


def _part_results(given: str | None, dataset: str, parts: Parts, job: TokenizerJob) -> Iterator[Result]:
    """Pixel metrics, text where it was read or should have been, and fine detail, of images of the task `given`."""
    tasks, unavailable = job.judges.tasks, job.judges.unavailable
    task = given or (RECONSTRUCTION_TASK if RECONSTRUCTION_TASK in tasks else TEXT)
    if task in tasks:
        for metric in _taken(RECONSTRUCTION_TASK, parts, given):
            yield from aggregated(task, dataset, metric, parts, _missing(metric, unavailable))
        yield from _text(task, dataset, parts, unavailable.get(TEXT))
    if DETAIL in tasks:
        for metric in _taken(DETAIL, parts, given):
            yield from aggregated(DETAIL, dataset, metric, parts, _missing(metric, unavailable))


def _missing(metric: Metric, unavailable: Mapping[str, str]) -> str | None:
    """Why a network that the metric needs is not here."""
    return next((unavailable[need] for need in metric.needs if need in unavailable), None)


def _taken(task: str, parts: Parts, given: str | None) -> list[Metric]:
    """The metrics of a section that the protocol takes of such images, and whose columns the rows have."""
    names = set(parts.rows.column_names)
    mine = [metric for metric in of_task(task) if metric.under(parts.protocol) and metric.images(given)]
    return [metric for metric in mine if all(column.name in names for column in metric.columns)]


def _text(task: str, dataset: str, parts: Parts, reason: str | None) -> Iterator[Result]:
    read = not parts.empty(RECONSTRUCTION)
    if not read and reason is None:
        reason = next((said for said in parts.rows[ERROR].to_pylist() if said), None)
    if read or (task == TEXT and reason is not None):
        yield from text_results(dataset, parts, None if read else reason)


def _model_results(
    task: str, store: RunStore, keys: Sequence[str], whole: Parts, job: TokenizerJob
) -> Iterator[Result]:
    """Survival and shift consistency: over all codes, and where there are scales or bits, for each of them."""
    for metric in _taken(task, whole, None):
        yield from aggregated(task, job.images.name, metric, whole)
        for part in ("scale", "bit"):
            stem = f"{whole.protocol.id}|{metric.name}|{part}"
            found = [arrays[stem] for key in keys if stem in (arrays := store.arrays(key))]
            shares = np.concatenate(found) if found else np.zeros((0, 0))
            for number in range(shares.shape[1]):
                name = f"{job.images.name}[{part} {number + 1} of {shares.shape[1]}]"
                estimate = mean_interval(shares[:, number], method="mean", seed=whole.seed)
                yield measured(task, name, metric, estimate, whole.protocol)


def _counts(store: RunStore, keys: Sequence[str], protocol: Protocol) -> Any:
    """How often each code occurs in the shards, which statistics/ keeps; None where codes are not counted."""
    counts: Any = None
    for key in keys:
        tally = store.arrays(key).get(f"{protocol.id}|codes")
        counts = tally if counts is None else counts if tally is None else counts + tally
    if counts is None or not counts.sum():
        return None
    folder = store.path / "statistics"
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / f"{protocol.id}-codes.npz", counts=counts)
    return counts
