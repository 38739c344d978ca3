"""Verification of a detection: p-values from their counts, verdicts and results from the rows; the key is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.images import content_digest
from evalkit.jobs.checks import CHECKS, Checks, Failure, How, Outcome
from evalkit.jobs.data import data_failures
from evalkit.runs.store import Run
from evalkit.text import as_float
from evalkit.watermark.detection.fold import NEEDED, Columns, columns_of, counts_of
from evalkit.watermark.detection.results import results_of
from evalkit.watermark.detection.rows import LN10
from evalkit.watermark.detection.verdict import ERROR, Judged, Rule, judge
from evalkit.watermark.exact import binomial_log_tail

ROWS, RESULTS = "samples.parquet", "results.json"
SAME = 1e-9  # relative


class DetectionChecks(Checks):
    """What the rows of `evalkit watermark detect` promise to somebody without the key."""

    scores = False

    def recompute(self, run: Run, how: How) -> Outcome:
        """p from green and distinct codes where it is a binomial tail, then q, verdicts and results from the rows."""
        told = run.record["detection"]
        rule = Rule(**told["rule"])
        table = _with_numbers(run.samples)
        columns = columns_of(table.select(NEEDED), rule)
        judged = judge(columns.log_p, columns.log_floor, columns.group, columns.content, rule)
        bad = [*_of_tails(run, columns.good), *_of_verdicts(run.samples, columns, judged)]
        counts = counts_of(columns, judged)
        mark = told["mark"]
        method = str((mark.get("marks") or [mark])[0]["method"])
        wanted = results_of(columns, judged, counts, rule, method, run.record["data"]["name"])
        bad += _of_results(run.results, {each.metric: each.value for each in wanted})
        found = content_digest(zip(run.samples["id"].to_pylist(), run.samples["sha256"].to_pylist(), strict=True))
        bad += data_failures(run, found)
        return Outcome(0 if bad else len(run.results), tuple(bad))

    def regenerate(self, run: Run, count: int, how: How) -> Outcome:
        """Nobody without the key can score per image again."""
        return Outcome(
            0, open="which codes are green is known to the key alone; who has it detects again with a fresh --out"
        )


def _with_numbers(samples: pa.Table) -> pa.Table:
    """The rows with hashes as numbers, as shards hold them."""
    numbers = [None if text is None else int(text, 16) for text in samples["phash"].to_pylist()]
    signed = [None if n is None else n - (1 << 64) if n >> 63 else n for n in numbers]
    return samples.set_column(samples.column_names.index("phash"), "phash", pa.array(signed, pa.int64()))


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
    return _failures(names, column["log10_p_list"], tail / LN10, "log10_p_list") + _failures(
        names, column["log10_p"], total / LN10, "log10_p"
    )


def _of_verdicts(samples: pa.Table, columns: Columns, judged: Judged) -> list[Failure]:
    verdict = np.full(len(samples), ERROR, dtype="U12")
    verdict[columns.good] = judged.verdict
    names = samples["id"].to_pylist()
    bad = [
        Failure(ROWS, f"{name}: its verdict is {said}, the rows give {wanted}")
        for name, said, wanted in zip(names, samples["verdict"].to_pylist(), verdict.tolist(), strict=True)
        if said != wanted
    ]
    kept = samples.take(pa.array(columns.good))
    return bad + _failures(kept["id"].to_pylist(), pc.cast(kept["q"], pa.float64()).to_numpy(), judged.q, "q")


def _of_results(said: Sequence[dict[str, Any]], wanted: dict[str, float | None]) -> list[Failure]:
    found = {row["metric"]: as_float(row["value"]) for row in said}
    return [
        Failure(RESULTS, f"{name} is {found.get(name)}, the rows give {wanted.get(name)}")
        for name in {**found, **wanted}
        if not _close(found.get(name), wanted.get(name))
    ]


def _failures(names: Sequence[str], said: Any, wanted: Any, column: str) -> list[Failure]:
    close = np.isclose(said, wanted, rtol=SAME, atol=SAME)
    return [
        Failure(ROWS, f"{names[i]}: {column} is {said[i]}, its counts give {wanted[i]}")
        for i in np.flatnonzero(~close).tolist()
    ]


def _close(a: float | None, b: float | None) -> bool:
    return a is b or (a is not None and b is not None and abs(a - b) <= SAME * max(abs(a), abs(b), 1.0))


CHECKS.add("watermark-detect", DetectionChecks())
