"""Verification of images that were marked afterwards: means from rows, rows against the images; no key is needed."""

from __future__ import annotations

from evalkit.jobs.checks import Failure, How, Outcome
from evalkit.jobs.data import data_failures
from evalkit.jobs.recomputed import TaskChecks, unlike
from evalkit.runs.store import Run


class EmbedChecks(TaskChecks):
    """What a run of `evalkit watermark embed FOLDER` promises to somebody without the key."""

    def recompute(self, run: Run, how: How) -> Outcome:
        """Every mean and its interval from the rows; every row's image by its digest."""
        again = self.again(run)
        bad, earlier = unlike(run, again.results)
        bad += data_failures(run, again.facts["data"]["digest"])
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
