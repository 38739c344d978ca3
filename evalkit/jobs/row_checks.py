"""Verification of a run whose results all follow from its rows and statistics, and that keeps and makes no image."""

from __future__ import annotations

from evalkit.jobs.checks import How, Outcome
from evalkit.jobs.data import data_failures
from evalkit.jobs.recomputed import TaskChecks, unlike
from evalkit.runs.store import Run


class RowChecks(TaskChecks):
    """What such a run promises."""

    scores = False
    makes = False

    def recompute(self, run: Run, how: How) -> Outcome:
        """Every value with its bounds from the rows, and the digest of the data."""
        again = self.again(run)
        bad, earlier = unlike(run, again.results)
        bad += data_failures(run, again.facts["data"]["digest"])
        return Outcome(0 if bad else len(run.results), tuple(bad), earlier)
