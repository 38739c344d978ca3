"""Distribution distances as results: at all images, and extrapolated to infinitely many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from evalkit.metrics.frechet import pairs_shape
from evalkit.metrics.metric import Metric, Pairs, Parts
from evalkit.metrics.moments import fold, save_moments
from evalkit.metrics.registry import of_task
from evalkit.protocols import Protocol
from evalkit.runs.store import Result, RunStore
from evalkit.tasks.tokenizer.numbers import aggregated

TASK, INFINITE = "distribution", "fid-infinity"


def distances(task: str = TASK) -> dict[str, Metric]:
    """The distance of each feature extractor, by the extractor's name; `fid-infinity` for the extrapolated ones."""
    return {need: metric for metric in of_task(task) for need in metric.needs}


def distribution_results(
    store: RunStore, dataset: str, names: Sequence[str], parts: Parts, unavailable: Mapping[str, str]
) -> Iterator[Result]:
    """The distances of the features `names`; statistics/ keeps their moments, or features where they are smaller."""
    metrics = distances()
    for name in names:
        metric = metrics[name]
        if name not in unavailable and parts.rows.num_rows >= 2:
            keep_statistics(store, f"{parts.protocol.id}-{metric.name}.npz", parts.features[name])
        yield from aggregated(TASK, dataset, metric, parts, unavailable.get(name))


def infinity_results(dataset: str, parts: Parts, unavailable: Mapping[str, str]) -> Iterator[Result]:
    """The protocol's distances extrapolated to infinitely many images (task fid-infinity)."""
    metrics = distances(INFINITE)
    for name in parts.protocol.distribution.extractors:
        yield from aggregated(INFINITE, dataset, metrics[name], parts, unavailable.get(name))


def keep_statistics(store: RunStore, name: str, pairs: Pairs) -> None:
    """What recomputes the distance: moments, or the features themselves where they are smaller."""
    folder = store.path / "statistics"
    folder.mkdir(exist_ok=True)
    n, d = pairs_shape(pairs)
    if n < d:
        x, y = (np.concatenate(parts) for parts in zip(*pairs(), strict=True))
        np.savez_compressed(folder / name, original=x, reconstruction=y)
    else:
        save_moments(folder / name, original=fold(x for x, _ in pairs()), reconstruction=fold(y for _, y in pairs()))


def stored_features(store: RunStore, keys: Sequence[str], protocol: Protocol, names: Sequence[str]) -> dict[str, Pairs]:
    """The features of originals and reconstructions in the shards, by extractor, read when they are asked for."""
    return {name: _pairs(store, keys, f"{protocol.id}|{name}") for name in names}


def _pairs(store: RunStore, keys: Sequence[str], stem: str) -> Pairs:
    def read() -> Iterator[tuple[Any, Any]]:
        for key in keys:
            arrays = store.arrays(key)
            if f"{stem}|original" in arrays:
                yield arrays[f"{stem}|original"], arrays[f"{stem}|reconstruction"]

    return read
