"""Rows of results.json of one check."""

from __future__ import annotations

from evalkit.metrics import erasure as declared
from evalkit.metrics.base import Estimate
from evalkit.metrics.metric import Metric
from evalkit.runs.store import Result


class Maker:
    """Makes results of one concept under one protocol."""

    def __init__(self, concept: str, protocol: str) -> None:
        self.concept, self.protocol = concept, protocol

    def of(self, metric: Metric, estimate: Estimate, part: str = "") -> Result:
        """A number."""
        e, dataset = estimate, f"{self.concept}/{part}" if part else self.concept
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
