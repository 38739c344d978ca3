"""Result rows: a measured number, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from evalkit.metrics.base import Estimate
from evalkit.metrics.metric import Metric, NotMeasured, Parts
from evalkit.protocols import Protocol
from evalkit.runs.store import Result


def measured(task: str, dataset: str, metric: Metric, estimate: Estimate, protocol: Protocol) -> Result:
    """A result row of an estimate, its bounds cut to the metric's range; an undefined value is unavailable with the reason
    that its method names.
    """
    value = None if math.isnan(estimate.value) else float(estimate.value)
    return Result(
        task=task,
        dataset=dataset,
        metric=metric.name,
        value=value,
        low=_bound(estimate.low, metric),
        high=_bound(estimate.high, metric),
        ci_method=estimate.method,
        n=estimate.n,
        unit=metric.unit,
        better=metric.better,
        protocol=protocol.id,
        status="ok" if value is not None else "unavailable",
        reason=estimate.method if value is None else _left_out(estimate.method),
    )


def unavailable(task: str, dataset: str, metric: Metric, protocol: Protocol, reason: str) -> Result:
    """A result row that says why there is no number."""
    unit, better = metric.unit, metric.better
    return Result(task, dataset, metric.name, None, None, None, "", 0, unit, better, protocol.id, "unavailable", reason)


def aggregated(task: str, dataset: str, metric: Metric, parts: Parts, missing: str | None = None) -> Iterator[Result]:
    """The row of what `metric` aggregates to; none where the data has nothing to say.

    The row holds a reason instead where the metric raises one, or where `missing` says what is not here.
    """
    if missing is not None:
        yield unavailable(task, dataset, metric, parts.protocol, missing)
    elif metric.aggregate is not None:
        try:
            estimate = metric.aggregate(replace(parts, range=(metric.low, metric.high)))
        except NotMeasured as reason:
            yield unavailable(task, dataset, metric, parts.protocol, str(reason))
        else:
            if estimate is not None:
                yield measured(task, dataset, metric, estimate, parts.protocol)


def _left_out(method: str) -> str | None:
    """What a mean leaves out, where it is not a mean of all images."""
    said = method.rpartition("; ")[2]
    return said if "are infinite" in said else None


def _bound(bound: float | None, metric: Metric) -> float | None:
    if bound is None or math.isnan(bound):
        return None
    least = -math.inf if metric.low is None else metric.low
    return float(min(max(bound, least), math.inf if metric.high is None else metric.high))
