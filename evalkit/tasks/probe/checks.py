"""Verification of a probe: verdicts and scores from the evidence; no network is needed."""

from __future__ import annotations

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import Failure, How, Outcome
from evalkit.jobs.recomputed import TaskChecks, unlike
from evalkit.runs.store import Run


class ProbeChecks(TaskChecks):
    """What evidence.jsonl promises of rows and results."""

    scores = False
    makes = False

    def recompute(self, run: Run, how: How) -> Outcome:
        """Rules applied to the evidence again; rows, scores and their bounds must be the same."""
        try:
            again = self.again(run)
        except EvalkitError as error:
            return Outcome(0, open=f"the evidence cannot be judged here: {error}")
        bad, earlier = unlike(run, again.results, source="the evidence gives")
        bad += _rows(run.samples, pa.concat_tables(again.rows))
        return Outcome(0 if bad else len(run.results), tuple(bad), earlier)


def _rows(said: pa.Table, wanted: pa.Table) -> list[Failure]:
    if said.schema.names != wanted.schema.names or said.num_rows != wanted.num_rows:
        return [Failure("samples.parquet", "its columns or rows are not those that the evidence gives")]
    names = said.column_names
    return [
        Failure("samples.parquet", f"{a['id']}: {name} is {a[name]!r}, the evidence gives {b[name]!r}")
        for a, b in zip(said.to_pylist(), wanted.to_pylist(), strict=True)
        for name in names
        if a[name] != b[name]
    ]
