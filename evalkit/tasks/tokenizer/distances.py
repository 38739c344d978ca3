"""Distribution distances as results: at all images, and extrapolated to infinitely many."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from evalkit.metrics.base import Estimate
from evalkit.metrics.frechet import pairs_shape
from evalkit.metrics.metric import Metric, Pairs, Parts
from evalkit.metrics.moments import fold, save_moments
from evalkit.metrics.registry import of_task
from evalkit.protocols import Protocol
from evalkit.runs.shards import Parts as ShardParts
from evalkit.runs.store import Result
from evalkit.tasks.tokenizer.numbers import aggregated, measured

TASK, INFINITE = "distribution", "fid-infinity"


def distances(task: str = TASK) -> dict[str, Metric]:
    """The distance of each feature extractor, by the extractor's name; `fid-infinity` for the extrapolated ones."""
    return {need: metric for metric in of_task(task) for need in metric.needs}


def distribution_results(
    shards: ShardParts, dataset: str, names: Sequence[str], parts: Parts, unavailable: Mapping[str, str]
) -> tuple[list[Result], dict[str, bytes]]:
    """The distances of the features `names`; and statistics: their moments, or features where they are smaller.

    A verification has moments where features were not kept: these give the value without its interval.
    """
    results: list[Result] = []
    files: dict[str, bytes] = {}
    metrics = distances()
    for name in names:
        metric, moments = metrics[name], _moments(shards, f"{parts.protocol.id}|{name}|moments")
        if moments is not None:
            results.append(measured(TASK, dataset, metric, moments, parts.protocol))
            continue
        if name not in unavailable and parts.rows.num_rows >= 2:
            files[f"statistics/{parts.protocol.id}-{metric.name}.npz"] = statistics_of(parts.features[name])
        results += aggregated(TASK, dataset, metric, parts, unavailable.get(name))
    return results, files


def infinity_results(dataset: str, parts: Parts, unavailable: Mapping[str, str]) -> Iterator[Result]:
    """The protocol's distances extrapolated to infinitely many images (task fid-infinity)."""
    metrics = distances(INFINITE)
    for name in parts.protocol.distribution.extractors:
        yield from aggregated(INFINITE, dataset, metrics[name], parts, unavailable.get(name))


def statistics_of(pairs: Pairs) -> bytes:
    """What recomputes the distance, as .npz: moments, or the features themselves where they are smaller."""
    n, d = pairs_shape(pairs)
    if n < d:
        x, y = (np.concatenate(parts) for parts in zip(*pairs(), strict=True))
        return npz_bytes(original=x, reconstruction=y)
    buffer = io.BytesIO()
    save_moments(buffer, original=fold(x for x, _ in pairs()), reconstruction=fold(y for _, y in pairs()))
    return buffer.getvalue()


def npz_bytes(**arrays: Any) -> bytes:
    """A compressed .npz of named arrays."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def stored_features(parts: ShardParts, protocol: Protocol, names: Sequence[str]) -> dict[str, Pairs]:
    """The features of originals and reconstructions in the shards, by extractor, read when they are asked for."""
    return {name: _pairs(parts, f"{protocol.id}|{name}") for name in names}


def _pairs(parts: ShardParts, stem: str) -> Pairs:
    def read() -> Iterator[tuple[Any, Any]]:
        for arrays in parts.arrays():
            if f"{stem}|original" in arrays:
                yield arrays[f"{stem}|original"], arrays[f"{stem}|reconstruction"]

    return read


def _moments(parts: ShardParts, name: str) -> Estimate | None:
    """The distance that a verification took from moments."""
    found = next((arrays[name] for arrays in parts.arrays() if name in arrays), None)
    return None if found is None else Estimate(float(found[0]), None, None, int(found[1]), "moments")
