"""Text preservation as results: against the true text where it is known, and against the OCR of the original."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow.compute as pc

from evalkit.metrics.metric import Metric, Parts
from evalkit.metrics.registry import of_task
from evalkit.metrics.script import WITHOUT_BLANKS
from evalkit.metrics.text_rates import BY_WORDS, SCRIPT
from evalkit.runs.store import Result
from evalkit.tasks.tokenizer.numbers import aggregated

TASK = "text"


def text_results(dataset: str, parts: Parts, reason: str | None) -> Iterator[Result]:
    """Corpus rates (summed edits over summed lengths) and mean normalised distance, for each reference of the protocol.

    Where several scripts occur, also for each script, as the data set `name[Devanagari]`. With a `reason` why nothing was
    read, the first rate of each reference states it.
    """
    metrics = [metric for metric in of_task(TASK) if metric.under(parts.protocol)]
    if reason is not None:
        metrics = [metric for metric in metrics if "headline" in metric.shown]
    yield from _of_rows(dataset, metrics, parts, reason)
    scripts = sorted(set(parts.rows[SCRIPT].drop_null().to_pylist()))
    if reason is not None or len(scripts) < 2:
        return
    for script in scripts:
        rows = parts.rows.filter(pc.fill_null(pc.equal(parts.rows[SCRIPT], script), False))
        said = [metric for metric in metrics if not (script in WITHOUT_BLANKS and metric.family in BY_WORDS)]
        yield from _of_rows(f"{dataset}[{script}]", said, replace(parts, rows=rows, memo={}), None)


def _of_rows(dataset: str, metrics: list[Metric], parts: Parts, reason: str | None) -> Iterator[Result]:
    for metric in metrics:
        yield from aggregated(TASK, dataset, metric, parts, reason)
