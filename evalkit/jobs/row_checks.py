"""Verification of a run whose results all follow from its rows and statistics: they are computed again."""

from __future__ import annotations

from evalkit.jobs.checks import Checks, Failure, How, Outcome, same_numbers
from evalkit.jobs.data import data_failures
from evalkit.jobs.earlier import as_stated
from evalkit.jobs.task import Task
from evalkit.runs.store import Run
from evalkit.text import as_float


class RowChecks(Checks):
    """What a run promises that keeps no image and makes none."""

    scores = False
    makes = False

    def __init__(self, task: Task) -> None:
        self.task = task

    def recompute(self, run: Run, how: How) -> Outcome:
        """Every value with its bounds from the rows, and the digest of the data."""
        again = self.task.aggregate(self.task.spec(run), self.task.parts(run))
        results, earlier = as_stated(run.results, again.results)
        wanted = {each.metric: (each.value, each.low, each.high) for each in results}
        said = {row["metric"]: tuple(as_float(row[name]) for name in ("value", "low", "high")) for row in run.results}
        bad = [
            Failure("results.json", f"{name} is {said.get(name)}, the rows give {wanted.get(name)}")
            for name in {**said, **wanted}
            if not same_numbers(said.get(name), wanted.get(name))
        ]
        bad += data_failures(run, again.facts["data"]["digest"])
        return Outcome(0 if bad else len(run.results), tuple(bad), earlier)
