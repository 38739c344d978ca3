"""Verification of a check: verdicts, numbers and the vector from the evidence of every image; no network is needed."""

from __future__ import annotations

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import Checks, Failure, How, Outcome, same_numbers
from evalkit.jobs.task import Task
from evalkit.jsonio import canonical_json
from evalkit.runs.store import Run
from evalkit.text import as_float


class ErasureChecks(Checks):
    """What the evidence in samples.parquet promises of rows, results and verdict."""

    scores = False
    makes = False

    def __init__(self, task: Task) -> None:
        self.task = task

    def recompute(self, run: Run, how: How) -> Outcome:
        """The rules applied again; rows, results and what the record says of them must be the same."""
        try:
            again = self.task.aggregate(self.task.spec(run), self.task.parts(run))
        except EvalkitError as error:
            return Outcome(0, (Failure("samples.parquet", f"its evidence gives no numbers: {error}"),))
        wanted = {(r.metric, r.dataset): (r.value, r.low, r.high) for r in again.results}
        said = {
            (r["metric"], r["dataset"]): tuple(as_float(r[k]) for k in ("value", "low", "high")) for r in run.results
        }
        bad = [
            Failure("results.json", f"{' of '.join(name)} is not what the evidence gives")
            for name in {**said, **wanted}
            if not same_numbers(said.get(name), wanted.get(name))
        ]
        if not pa.concat_tables(again.rows).equals(run.samples):
            bad.append(Failure("samples.parquet", "its columns are not those that the evidence gives"))
        if canonical_json(again.facts["erasure"]) != canonical_json(run.record.get("erasure")):
            bad.append(Failure("record.json", "its verdict or its sets are not those that the evidence gives"))
        return Outcome(0 if bad else len(run.results), tuple(bad))
