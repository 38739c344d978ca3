"""Verification of a check: verdicts, numbers and the vector from the evidence of every image; no network is needed."""

from __future__ import annotations

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import Failure, How, Outcome
from evalkit.jobs.recomputed import TaskChecks, unlike
from evalkit.jsonio import canonical_json
from evalkit.runs.store import Run


class ErasureChecks(TaskChecks):
    """What the evidence in samples.parquet promises of rows, results and verdict."""

    scores = False
    makes = False

    def recompute(self, run: Run, how: How) -> Outcome:
        """The rules applied again; rows, results and what the record says of them must be the same."""
        try:
            again = self.again(run)
        except EvalkitError as error:
            return Outcome(0, (Failure("samples.parquet", f"its evidence gives no numbers: {error}"),))
        bad, earlier = unlike(run, again.results, source="the evidence gives")
        if not pa.concat_tables(again.rows).equals(run.samples):
            bad.append(Failure("samples.parquet", "its columns are not those that the evidence gives"))
        if canonical_json(again.facts["erasure"]) != canonical_json(run.record.get("erasure")):
            bad.append(Failure("record.json", "its verdict or its sets are not those that the evidence gives"))
        return Outcome(0 if bad else len(run.results), tuple(bad), earlier)
