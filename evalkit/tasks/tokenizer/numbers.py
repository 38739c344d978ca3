"""Result rows: a measured number, or the reason why there is none."""

from __future__ import annotations

import math

from evalkit.metrics.base import Estimate, MetricInfo
from evalkit.metrics.catalog import METRICS
from evalkit.protocols import Protocol
from evalkit.runs.store import Result


def measured(task: str, dataset: str, metric: str, estimate: Estimate, protocol: Protocol) -> Result:
    """A result row of an estimate, its bounds cut to the metric's range; an undefined value is unavailable with the reason
    that its method names.
    """
    info = METRICS[metric]
    value = None if math.isnan(estimate.value) else float(estimate.value)
    return Result(
        task=task,
        dataset=dataset,
        metric=metric,
        value=value,
        low=_bound(estimate.low, info),
        high=_bound(estimate.high, info),
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


def _bound(bound: float | None, info: MetricInfo) -> float | None:
    if bound is None or math.isnan(bound):
        return None
    least = -math.inf if info.low is None else info.low
    return float(min(max(bound, least), math.inf if info.high is None else info.high))
