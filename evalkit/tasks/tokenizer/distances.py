"""Distribution distances as results: at all images, and extrapolated to infinitely many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.metrics.fid_infinity import fid_infinity
from evalkit.metrics.frechet import Pairs, paired_frechet, pairs_shape
from evalkit.metrics.moments import fold, save_moments
from evalkit.protocols import Protocol
from evalkit.runs.store import Result, RunStore
from evalkit.tasks.tokenizer.numbers import measured, unavailable

if TYPE_CHECKING:
    from evalkit.tasks.tokenizer.job import TokenizerJob

DISTANCES = {
    "inception-v3-fid": "fid",
    "efflite0": "fd_efflite0",
    "dinov2-vitl14": "fd_dinov2",
    "dinov2-vitb14": "fd_dinov2_vitb14",
    "dinov2-vits14": "fd_dinov2_vits14",
    "clip-vitl14": "fd_clip",
    "clip-vitb32": "fd_clip_vitb32",
}
INFINITE = {"inception-v3-fid": "fid_infinity", "efflite0": "fd_efflite0_infinity"}


def distribution_results(
    store: RunStore, keys: Sequence[str], protocol: Protocol, job: TokenizerJob, n: int
) -> Iterator[Result]:
    """The protocol's distances and those that were asked for besides, from `n` images; statistics/ keeps their moments."""
    for name in job.judges.extractors_of(protocol):
        metric = DISTANCES[name]
        reason = job.judges.unavailable.get(name)
        if reason is None and n < 2:
            reason = f"a Fréchet distance needs at least 2 images; {n} could be scored"
        if reason is not None:
            yield unavailable("distribution", job.images.name, metric, protocol, reason)
            continue
        pairs = _pairs(store, keys, f"{protocol.id}|{name}")
        keep_statistics(store, f"{protocol.id}-{metric}.npz", pairs)
        yield measured("distribution", job.images.name, metric, paired_frechet(pairs), protocol)


def infinity_results(
    store: RunStore, keys: Sequence[str], protocol: Protocol, job: TokenizerJob, n: int
) -> Iterator[Result]:
    """The protocol's distances extrapolated to infinitely many images (task fid-infinity)."""
    for name in protocol.distribution.extractors:
        metric = INFINITE[name]
        reason = job.judges.unavailable.get(name) or ("no image could be scored" if n == 0 else None)
        if reason is not None:
            yield unavailable("fid-infinity", job.images.name, metric, protocol, reason)
            continue
        estimate = fid_infinity(_pairs(store, keys, f"{protocol.id}|{name}"), seed=job.options.seed)
        yield measured("fid-infinity", job.images.name, metric, estimate, protocol)


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


def _pairs(store: RunStore, keys: Sequence[str], stem: str) -> Pairs:
    def read() -> Iterator[tuple[Any, Any]]:
        for key in keys:
            arrays = store.arrays(key)
            if f"{stem}|original" in arrays:
                yield arrays[f"{stem}|original"], arrays[f"{stem}|reconstruction"]

    return read
