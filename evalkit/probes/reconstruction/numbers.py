"""Result rows: a measured number, or the reason why there is none."""

from __future__ import annotations

import math

from evalkit.metrics.base import Estimate
from evalkit.metrics.catalog import METRICS
from evalkit.protocols import Protocol
from evalkit.runs.store import Result


def measured(task: str, dataset: str, metric: str, estimate: Estimate, protocol: Protocol) -> Result:
    """A result row of an estimate; an undefined value is unavailable with the reason that its method names."""
    info = METRICS[metric]
    value = None if math.isnan(estimate.value) else float(estimate.value)
    return Result(
        task=task,
        dataset=dataset,
        metric=metric,
        value=value,
        low=_bound(estimate.low),
        high=_bound(estimate.high),
        ci_method=estimate.method,
        n=estimate.n,
        unit=info.unit,
        better=info.better,
        protocol=protocol.id,
        status="ok" if value is not None else "unavailable",
        reason=None if value is not None else estimate.method,
    )


def unavailable(task: str, dataset: str, metric: str, protocol: Protocol, reason: str) -> Result:
    """A result row that says why there is no number."""
    info = METRICS[metric]
    return Result(
        task, dataset, metric, None, None, None, "", 0, info.unit, info.better, protocol.id, "unavailable", reason
    )


def _bound(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
