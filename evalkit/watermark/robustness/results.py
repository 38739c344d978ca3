"""results.json of a robustness run: rates, AUC and mean quality of each contender under each attack."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from evalkit.metrics.metric import Metric
from evalkit.metrics.watermark import AUC, LIKENESS, rate_at
from evalkit.runs.store import Result
from evalkit.stats.intervals import mean_interval
from evalkit.watermark.robustness.rows import EMBEDDING, LPIPS, MARKED, METRICS, NOTHING
from evalkit.watermark.robustness.summary import levels_of
from evalkit.watermark.robustness.tally import Floats, Tally

TASK = "robustness"
OF_MARKING = dict(
    zip(METRICS, [*(each.name for each in LIKENESS["input"]), f"{METRICS[LPIPS].name}_input"], strict=True)
)


def results_of(
    data: str, rows: Sequence[Mapping[str, Any]], embedding: Sequence[Mapping[str, Any]], tally: Tally
) -> Iterator[Result]:
    """Every number of the run; `data`: what the images are called."""
    for each in embedding:
        for column, name in OF_MARKING.items():
            values = tally.column(NOTHING, str(each["contender"]), EMBEDDING, column)
            yield from _mean(f"{data}/{each['contender']}", METRICS[column], name, values)
    for row in rows:
        name = f"{data}/{row['contender']}"
        yield from _rates(name if row["attack"] == NOTHING else f"{name}/{row['attack']}", row, tally)
    yield _count(data, "images_failed", len(tally.images))
    yield _count(data, "attacks_failed", len(tally.failed))


def _rates(dataset: str, row: Mapping[str, Any], tally: Tally) -> Iterator[Result]:
    for level in levels_of([row]):
        for kind, of in (("tpr", "marked"), ("fpr", "unmarked")):
            rate = rate_at(kind, level)
            value, low, high = (row[f"{rate.name}{end}"] for end in ("", "_low", "_high"))
            yield _result(dataset, rate.name, value, low, high, "Clopper-Pearson", row[of], rate.unit, rate.better)
    n = row["marked"] + row["unmarked"]
    yield _result(dataset, AUC.name, row[AUC.name], None, None, "no interval", n, AUC.unit, AUC.better)
    for column, metric in METRICS.items():
        values = tally.column(str(row["attack"]), str(row["contender"]), MARKED, column)
        yield from _mean(dataset, metric, metric.name, values)
    for of in ("marked", "unmarked"):
        yield _count(dataset, f"images_{of}", row[of])


def _mean(dataset: str, metric: Metric, name: str, values: Floats) -> Iterator[Result]:
    """The mean of what could be measured; nothing where sizes changed, or LPIPS is not here."""
    known = values[~np.isnan(values)]
    if len(known):
        e = mean_interval(known, range=(metric.low, metric.high))
        yield _result(dataset, name, e.value, e.low, e.high, e.method, e.n, metric.unit, metric.better)


def _count(dataset: str, metric: str, value: int) -> Result:
    return _result(dataset, metric, float(value), None, None, "count", value, "", "none")


def _result(
    dataset: str,
    metric: str,
    value: float,
    low: float | None,
    high: float | None,
    method: str,
    n: int,
    unit: str,
    better: str,
) -> Result:
    if math.isnan(value):
        said = "no image could be read on one side"
        return Result(TASK, dataset, metric, None, None, None, method, n, unit, better, "", "unavailable", said)
    return Result(TASK, dataset, metric, value, low, high, method, n, unit, better, "")
