"""Verification of images that were marked afterwards: means from rows, rows against the images; no key is needed."""

from __future__ import annotations

import math
from typing import Any

from evalkit.jobs.checks import Checks, Failure, How, Outcome
from evalkit.jobs.data import data_failures
from evalkit.jobs.earlier import as_stated
from evalkit.jobs.task import Task
from evalkit.runs.store import Run

SAME = 1e-9  # relative


class EmbedChecks(Checks):
    """What a run of `evalkit watermark embed FOLDER` promises to somebody without the key."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def recompute(self, run: Run, how: How) -> Outcome:
        """Every mean and its interval from the rows; every row's image by its digest."""
        bad: list[Failure] = []
        said = {row["metric"]: row for row in run.results}
        again = self.task.aggregate(self.task.spec(run), self.task.parts(run))
        bad += data_failures(run, again.facts["data"]["digest"])
        results, earlier = as_stated(run.results, again.results)
        for found in results:
            metric = found.metric
            row = said.pop(metric, None)
            if row is None:
                bad.append(Failure("results.json", f"{metric} is missing"))
                continue
            wanted = {"value": found.value, "low": found.low, "high": found.high, "n": found.n}
            bad += [
                Failure("results.json", f"{metric}: {name} is {row[name]}, the rows give {value}")
                for name, value in wanted.items()
                if not _close(row[name], value)
            ]
        bad += [Failure("results.json", f"{metric} follows from no row") for metric in said]
        for row in run.samples.select(["file", "sha256"]).to_pylist():
            if row["file"] is not None and run.record["files"].get(row["file"]) != row["sha256"]:
                bad.append(Failure(row["file"], "its row says another sha256"))
        return Outcome(0 if bad else len(run.results), tuple(bad), earlier)

    def rescore(self, run: Run, count: int, how: How) -> Outcome:
        """Costs are measured against the originals, at the tokenizer's size."""
        return Outcome(0, open="costs are measured against originals and plain encodings, which the run does not keep")

    def regenerate(self, run: Run, count: int, how: How) -> Outcome:
        """Only who has the key can mark an image the same way."""
        return Outcome(0, open="which codes are green is known to the key alone; who has it marks again, and compares")


def _close(said: Any, found: float | None) -> bool:
    if found is None or not math.isfinite(found):  # results.json has infinities in words and nan as nothing
        return said is None if found is None or math.isnan(found) else bool(said == str(found))
    return isinstance(said, int | float) and math.isclose(said, found, rel_tol=SAME, abs_tol=SAME)
