"""Verification of a probe: verdicts and scores from what was kept of its images; no network is needed."""

from __future__ import annotations

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import Failure, How, Outcome
from evalkit.jobs.recomputed import TaskChecks, same_value, unlike
from evalkit.jobs.task import Task
from evalkit.protocols.judged import declared, load_declaration
from evalkit.runs.store import Run


class ProbeChecks(TaskChecks):
    """What the kept evidence promises of rows and results; `kept` is what it is called."""

    scores = False
    makes = False

    def __init__(self, task: Task, kept: str = "the evidence") -> None:
        super().__init__(task)
        self.kept = kept

    def recompute(self, run: Run, how: How) -> Outcome:
        """Rules applied to the evidence again; rows, scores and their bounds must be the same."""
        if _revised(run):
            return Outcome(
                0, open="the suite has other formulas or scores by now; verify with the evalkit that made the run"
            )
        try:
            again = self.again(run)
        except EvalkitError as error:
            return Outcome(0, open=f"{self.kept} cannot be judged here: {error}")
        bad, earlier = unlike(run, again.results, source=f"{self.kept} gives")
        bad += _rows(run.samples, pa.concat_tables(again.rows), self.kept)
        return Outcome(0 if bad else len(run.results), tuple(bad), earlier)


def _revised(run: Run) -> bool:
    """Whether the run is of another revision of a shipped judged suite than the one here."""
    said = run.record["plan"]["parameters"]
    name = str(said.get("suite"))
    own = "declaration" in said or name not in declared()
    return not own and load_declaration(name).revision != said.get("revision", 1)


def _rows(said: pa.Table, wanted: pa.Table, kept: str) -> list[Failure]:
    if said.schema.names != wanted.schema.names or said.num_rows != wanted.num_rows:
        return [Failure("samples.parquet", f"its columns or rows are not those that {kept} gives")]
    names = said.column_names
    return [
        Failure("samples.parquet", f"{a['id']}: {name} is {a[name]!r}, {kept} gives {b[name]!r}")
        for a, b in zip(said.to_pylist(), wanted.to_pylist(), strict=True)
        for name in names
        if not same_value(a[name], b[name])
    ]
