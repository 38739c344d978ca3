"""Verification of a detection: p-values from their counts, verdicts and results from the rows; the key is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.jobs.checks import Failure, How, Outcome
from evalkit.jobs.data import data_failures
from evalkit.jobs.recomputed import SAME, TaskChecks, unlike
from evalkit.runs.store import Run
from evalkit.watermark.detection.rows import LN10
from evalkit.watermark.exact import binomial_log_tail

ROWS = "samples.parquet"
Q_OF_EACH = 3  # the version of plans from which q is that of the image; before, its group's
SECRET = "which codes are green is known to the key alone; who has it runs the command again with a fresh --out"


class DetectionChecks(TaskChecks):
    """What the rows of `evalkit watermark detect` promise to somebody without the key."""

    scores = False

    def recompute(self, run: Run, how: How) -> Outcome:
        """p from green and distinct codes where it is a binomial tail, ranks among the kept scores of decoy keys, then q,
        verdicts and results from the rows.
        """
        done = self.again(run)
        again = pa.concat_tables(done.rows)
        good = np.flatnonzero(pc.is_null(again["error"]).to_numpy())
        stated, earlier = unlike(run, done.results)
        bad = [*_of_tails(run, good), *_of_verdicts(run.samples, again), *stated]
        bad += _of_decoys(run.samples, again, good) if self.task.spec(run).parameters.get("decoys") else []
        bad += _of_q(run.samples, again, good) if self.task.spec(run).version >= Q_OF_EACH else []
        bad += data_failures(run, done.facts["data"]["digest"])
        return Outcome(0 if bad else len(run.results), tuple(bad), earlier)

    def regenerate(self, run: Run, count: int, how: How) -> Outcome:
        """Nobody without the key can score an image again."""
        return Outcome(0, open=SECRET)


def _of_tails(run: Run, good: npt.NDArray[np.int64]) -> list[Failure]:
    """Rows whose p is not the tail of their counts, where counts of distinct codes decide."""
    mark = run.record["detection"]["mark"]
    for each in mark.get("marks", [mark]):
        if each["method"] != "lbw" or each["kind"] == "paired" or each["cap"] != 1:
            return []
    rows = run.samples.take(pa.array(good))
    column = {
        name: rows[name].to_numpy() for name in ("green", "distinct", "gamma", "n_tests", "log10_p", "log10_p_list")
    }
    tail = np.array(
        [
            float(binomial_log_tail(g, d, y))
            for g, d, y in zip(column["green"], column["distinct"], column["gamma"], strict=True)
        ]
    )
    total = np.minimum(tail + np.log(column["n_tests"]), 0.0)
    names = rows["id"].to_pylist()
    found = of_cells(names, column["log10_p_list"], tail / LN10, "log10_p_list")
    return found + of_cells(names, column["log10_p"], total / LN10, "log10_p")


def _of_verdicts(samples: pa.Table, again: pa.Table) -> list[Failure]:
    names, verdicts, wanted_ones = samples["id"], samples["verdict"], again["verdict"]
    pairs = zip(names.to_pylist(), verdicts.to_pylist(), wanted_ones.to_pylist(), strict=True)
    return [
        Failure(ROWS, f"{name}: its verdict is {said}, the rows give {wanted}")
        for name, said, wanted in pairs
        if said != wanted
    ]


def _of_q(samples: pa.Table, again: pa.Table, good: npt.NDArray[np.int64]) -> list[Failure]:
    names = samples["id"].to_pylist()
    said, wanted = (table["q"].cast(pa.float64()).to_numpy()[good] for table in (samples, again))
    return of_cells([names[i] for i in good.tolist()], said, wanted, "q")


def _of_decoys(samples: pa.Table, again: pa.Table, good: npt.NDArray[np.int64]) -> list[Failure]:
    """Ranks, leans and p by decoy keys that the kept scores do not give."""
    ids, found = samples["id"].to_pylist(), []
    for name in ("decoys_above", "lean", "log10_p_decoys"):
        said, wanted = (table[name].cast(pa.float64()).to_numpy()[good] for table in (samples, again))
        found += of_cells([ids[i] for i in good.tolist()], said, wanted, name)
    return found


def of_cells(names: Sequence[str], said: Any, wanted: Any, column: str) -> list[Failure]:
    """Cells of a column that are not what they should be."""
    close = np.isclose(said, wanted, rtol=SAME, atol=SAME)
    return [
        Failure(ROWS, f"{names[i]}: {column} is {said[i]}, its counts give {wanted[i]}")
        for i in np.flatnonzero(~close).tolist()
    ]
