"""Rows of results.json of one check."""

from __future__ import annotations

from dataclasses import replace

from evalkit.metrics import erasure as declared
from evalkit.metrics.base import Estimate
from evalkit.metrics.metric import Metric
from evalkit.runs.store import Result


class Maker:
    """Makes results of one concept under one protocol."""

    def __init__(self, concept: str, protocol: str) -> None:
        self.concept, self.protocol = concept, protocol

    def of(self, metric: Metric, estimate: Estimate, part: str = "") -> Result:
        """A number; its bounds lie in what the metric can be."""
        e, dataset = bounded(estimate, metric), f"{self.concept}/{part}" if part else self.concept
        return Result(
            declared.TASK,
            dataset,
            metric.name,
            e.value,
            e.low,
            e.high,
            e.method,
            e.n,
            metric.unit,
            metric.better,
            self.protocol,
        )

    def plain(
        self, metric: Metric, value: float, n: int, part: str = "", how: str = "no interval: a function of others"
    ) -> Result:
        """A number without an interval."""
        return self.of(metric, Estimate(value, None, None, n, how), part)

    def without(self, metric: Metric, reason: str) -> Result:
        """A number that is not there."""
        return Result(
            declared.TASK, self.concept, metric.name, None, None, None, "", 0, metric.unit, metric.better, self.protocol,
            "unavailable", reason,
        )  # fmt: skip


def bounded(estimate: Estimate, metric: Metric) -> Estimate:
    """The estimate with bounds within the metric's scale."""
    low, high = estimate.low, estimate.high
    if low is not None and metric.low is not None:
        low = max(low, metric.low)
    if high is not None and metric.high is not None:
        high = min(high, metric.high)
    return replace(estimate, low=low, high=high)
