"""Aggregations that many metrics share; the statistics are imported on first use, since they load scipy.stats."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.metrics.base import Estimate
from evalkit.metrics.metric import NotMeasured, Parts


@dataclass(frozen=True)
class MeanOf:
    """The mean of a column over the samples that have a value, with its interval.

    `empty` is the reason where no sample has one; `silent` gives no row then.
    """

    column: str
    empty: str | None = None
    silent: bool = False

    def __call__(self, parts: Parts) -> Estimate | None:
        """The estimate; raises `NotMeasured` with `empty`."""
        from evalkit.stats.intervals import mean_interval

        if (self.silent or self.empty is not None) and parts.empty(self.column):
            if self.empty is None:
                return None
            raise NotMeasured(self.empty)
        return mean_interval(parts.column(self.column), method="mean", range=parts.range)
