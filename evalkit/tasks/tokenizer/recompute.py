"""What a sealed tokenizer run keeps for its results to be aggregated again: code counts, features, or their moments."""

from __future__ import annotations

from typing import Any

import numpy as np

from evalkit.jobs.earlier import key_of
from evalkit.metrics.frechet import frechet_distance
from evalkit.metrics.moments import load_moments
from evalkit.metrics.npz import arrays_of
from evalkit.protocols import load_protocol
from evalkit.runs.store import Run
from evalkit.tasks.tokenizer.distances import INFINITE, TASK, distances

Arrays = dict[str, np.ndarray[Any, Any]]


def shown_extractors(run: Run) -> list[str]:
    """The extractors whose distances the results name."""
    shown = {row["metric"] for row in run.results if row["task"] == TASK}
    return [name for name, metric in distances().items() if metric.name in shown]


def kept_arrays(run: Run) -> Arrays:
    """The arrays of statistics/ under the names that shards give them; `<protocol>|<extractor>|moments` is (value, n)."""
    arrays: Arrays = {}
    for id in (each["id"] for each in run.record["protocols"]):
        codes = run.path / "statistics" / f"{id}-codes.npz"
        if codes.exists():
            arrays[f"{id}|codes"] = arrays_of(codes)["counts"]
        own = load_protocol(id).distribution.extractors
        for name in dict.fromkeys((*own, *shown_extractors(run))):
            arrays |= _features(run, id, name)
    return arrays


def without_features(run: Run) -> frozenset[tuple[str, ...]]:
    """Results whose interval needs features that were not kept, and those of infinitely many images."""
    names, found = distances(), set()
    for row in run.results:
        metric = next((each for each in names.values() if each.name == row["metric"]), None)
        if row["task"] == INFINITE:
            found.add(key_of(row))
        elif row["task"] == TASK and metric is not None and row["status"] == "ok":
            file = run.path / "statistics" / f"{row['protocol']}-{metric.name}.npz"
            if file.exists() and "original" not in arrays_of(file):
                found.add(key_of(row))
    return frozenset(found)


def _features(run: Run, protocol: str, name: str) -> Arrays:
    file = run.path / "statistics" / f"{protocol}-{distances()[name].name}.npz"
    found = arrays_of(file) if file.exists() else {}
    if "original" in found and "reconstruction" in found:
        return {f"{protocol}|{name}|{which}": found[which] for which in ("original", "reconstruction")}
    if not found:
        return {}
    pair = load_moments(file)
    value = frechet_distance(pair["original"], pair["reconstruction"])
    return {f"{protocol}|{name}|moments": np.array([value, pair["original"].n], np.float64)}
