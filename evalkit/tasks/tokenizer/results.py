"""From rows and features to results: one number with an interval for each task, data set, metric and protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.arrow import equal
from evalkit.metrics.metric import Metric, Parts
from evalkit.metrics.registry import of_task
from evalkit.metrics.text_rates import ERROR, RECONSTRUCTION
from evalkit.metrics.tokbench import FACE_TASK
from evalkit.metrics.tokbench import TASK as WORD_TASK
from evalkit.protocols import Protocol
from evalkit.runs.shards import Parts as ShardParts
from evalkit.runs.store import Result
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.tokenizer.distances import (
    INFINITE,
    distribution_results,
    infinity_results,
    npz_bytes,
    stored_features,
)
from evalkit.tasks.tokenizer.distances import TASK as DISTRIBUTION
from evalkit.tasks.tokenizer.numbers import aggregated, measured
from evalkit.tasks.tokenizer.spec import Settings
from evalkit.tasks.tokenizer.texts import text_results

RECONSTRUCTION_TASK, DETAIL, TEXT, CODES = "reconstruction", "detail", "text", "codes"
IMAGE_TASKS = (RECONSTRUCTION_TASK, DETAIL, TEXT)
MODEL_TASKS = ("survival", "shift")


def results_of(samples: pa.Table, parts: ShardParts, how: Settings) -> tuple[list[Result], dict[str, bytes]]:
    """All results of the run in the order of protocols, data sets and metrics; and the statistics that recompute them."""
    results: list[Result] = []
    files: dict[str, bytes] = {}
    for protocol in how.protocols:
        mine = samples.filter(equal(samples["protocol"], protocol.id))
        good = mine.filter(pc.is_null(mine["error"]))
        for given, dataset, part in _parts(good, how.dataset):
            results += _part_results(given, dataset, Parts(part, protocol, how.seed), how)
        extractors = how.extractors[protocol.id]
        counts = _counts(parts, protocol) if CODES in how.tasks else None
        if counts is not None:
            files[f"statistics/{protocol.id}-codes.npz"] = npz_bytes(counts=counts)
        whole = Parts(good, protocol, how.seed, stored_features(parts, protocol, extractors), counts)
        if DISTRIBUTION in how.tasks:
            found, kept = distribution_results(parts, how.dataset, extractors, whole, how.unavailable)
            results, files = results + found, files | kept
        if INFINITE in how.tasks:
            results += infinity_results(how.dataset, whole, how.unavailable)
        for task in (each for each in MODEL_TASKS if each in how.tasks):
            results += _model_results(task, parts, whole, how.dataset)
        for task in (each for each in (WORD_TASK, FACE_TASK) if each in how.tasks):
            for metric in _taken(task, whole, None):
                results += aggregated(task, how.dataset, metric, whole, _missing(metric, how.unavailable))
        if CODES in how.tasks:
            results += [row for metric in of_task(CODES) for row in aggregated(CODES, how.dataset, metric, whole)]
    return results, files


def _parts(good: pa.Table, name: str) -> Iterator[tuple[str | None, str, pa.Table]]:
    """(task that the data states, data set name, rows) for each subset of the set."""
    pairs = dict.fromkeys(zip(good["task"].to_pylist(), good["subset"].to_pylist(), strict=True))
    for task, subset in sorted(pairs, key=lambda pair: IMAGE_TASKS.index(pair[0]) if pair[0] in IMAGE_TASKS else 0):
        keep = pc.and_(_same(good["task"], task), _same(good["subset"], subset))
        dataset = f"{name}/{subset}" if subset and not name.endswith(f"/{subset}") else name
        yield task, dataset, good.filter(keep)


def _same(column: pa.ChunkedArray, value: str | None) -> Any:
    return pc.is_null(column) if value is None else equal(column, value)


def _part_results(given: str | None, dataset: str, parts: Parts, how: Settings) -> Iterator[Result]:
    """Pixel metrics, text where it was read or should have been, and fine detail, of images of the task `given`."""
    tasks, unavailable = how.tasks, how.unavailable
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


def _model_results(task: str, shards: ShardParts, whole: Parts, dataset: str) -> Iterator[Result]:
    """Consistency under re-tokenization and shifts: over all codes, and where there are scales or bits, for each of them."""
    for metric in _taken(task, whole, None):
        yield from aggregated(task, dataset, metric, whole)
        for part in ("scale", "bit"):
            stem = f"{whole.protocol.id}|{metric.name}|{part}"
            found = [arrays[stem] for arrays in shards.arrays() if stem in arrays]
            shares = np.concatenate(found) if found else np.zeros((0, 0))
            for number in range(shares.shape[1]):
                name = f"{dataset}[{part} {number + 1} of {shares.shape[1]}]"
                estimate = mean_interval(shares[:, number], method="mean", range=(0.0, 1.0))
                yield measured(task, name, metric, estimate, whole.protocol)


def _counts(parts: ShardParts, protocol: Protocol) -> Any:
    """How often each code occurs in the shards; None where codes are not counted."""
    counts: Any = None
    for arrays in parts.arrays():
        tally = arrays.get(f"{protocol.id}|codes")
        counts = tally if counts is None else counts if tally is None else counts + tally
    return None if counts is None or not counts.sum() else counts
