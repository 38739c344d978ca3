"""Verification of a probe: verdicts and scores from what was kept of its images; no network is needed."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import Checks, Failure, How, Outcome, same_number, same_numbers
from evalkit.jobs.earlier import as_stated
from evalkit.jobs.task import Task
from evalkit.runs.store import Run
from evalkit.text import as_float


class ProbeChecks(Checks):
    """What the kept evidence promises of rows and results; `kept` is what it is called."""

    scores = False
    makes = False

    def __init__(self, task: Task, kept: str = "the evidence") -> None:
        self.task, self.kept = task, kept

    def recompute(self, run: Run, how: How) -> Outcome:
        """Rules applied to the evidence again; rows, scores and their bounds must be the same."""
        try:
            again = self.task.aggregate(self.task.spec(run), self.task.parts(run))
        except EvalkitError as error:
            return Outcome(0, open=f"{self.kept} cannot be judged here: {error}")
        results, earlier = as_stated(run.results, again.results)
        wanted = {each.metric: (each.value, each.low, each.high) for each in results}
        said = {row["metric"]: tuple(as_float(row[key]) for key in ("value", "low", "high")) for row in run.results}
        bad = [
            Failure("results.json", f"{name} is {_first(said.get(name))}, {self.kept} gives {_first(wanted.get(name))}")
            for name in {**said, **wanted}
            if not same_numbers(said.get(name), wanted.get(name))
        ]
        bad += _rows(run.samples, pa.concat_tables(again.rows), self.kept)
        return Outcome(0 if bad else len(run.results), tuple(bad), earlier)


def _rows(said: pa.Table, wanted: pa.Table, kept: str) -> list[Failure]:
    if said.schema.names != wanted.schema.names or said.num_rows != wanted.num_rows:
        return [Failure("samples.parquet", f"its columns or rows are not those that {kept} gives")]
    names = said.column_names
    return [
        Failure("samples.parquet", f"{a['id']}: {name} is {a[name]!r}, {kept} gives {b[name]!r}")
        for a, b in zip(said.to_pylist(), wanted.to_pylist(), strict=True)
        for name in names
        if not _same(a[name], b[name])
    ]


def _same(a: Any, b: Any) -> bool:
    return same_number(a, b) if isinstance(a, float) and isinstance(b, float) else bool(a == b)


def _first(found: tuple[Any, ...] | None) -> Any:
    return None if found is None else found[0]
