"""Fine detail: which images are scored, and their scores as results of the task `detail`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from evalkit.images.sample import Pixels
from evalkit.metrics.detail import detail_scores
from evalkit.protocols import Protocol
from evalkit.runs.store import Result
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.tokenizer.numbers import measured

COLUMNS = ("hf_energy", "hf_added", "hf_correlation", "psnr_detail", "hf_correlation_detail")
PROTOCOLS = frozenset({"evalkit-1"})  # the others re-make papers, which have no such scores


def speaks_of_detail(tasks: frozenset[str], protocol: Protocol, task: str | None) -> bool:
    """Whether an image of `task` (None: data without tasks) is scored for detail."""
    return "detail" in tasks and protocol.id in PROTOCOLS and task in ("detail", None)


def detail_columns(original: Pixels, reconstruction: Pixels) -> Mapping[str, float | None]:
    """The detail columns of a pair's row."""
    return asdict(detail_scores(original, reconstruction))


def detail_results(dataset: str, part: pa.Table, protocol: Protocol, seed: int) -> Iterator[Result]:
    """Means over the images that have detail."""
    for metric in COLUMNS:
        values: np.ndarray[Any, Any] = np.asarray(part[metric].to_numpy(zero_copy_only=False), np.float64)
        yield measured("detail", dataset, metric, mean_interval(values, method="mean", seed=seed), protocol)
