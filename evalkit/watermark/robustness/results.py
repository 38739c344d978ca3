"""results.json of a robustness run: rates, AUC and mean quality of each contender under each attack."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from evalkit.runs.store import Result
from evalkit.stats.intervals import mean_interval
from evalkit.watermark.robustness.rows import EMBEDDING, MARKED, NOTHING, QUALITY
from evalkit.watermark.robustness.summary import levels_of
from evalkit.watermark.robustness.tally import Floats, Tally

TASK = "robustness"
OF_QUALITY = {"psnr": ("dB", "higher"), "ssim": ("", "higher"), "lpips": ("", "lower")}


def results_of(
    data: str, rows: Sequence[Mapping[str, Any]], embedding: Sequence[Mapping[str, Any]], tally: Tally
) -> Iterator[Result]:
    """Every number of the run; `data`: what the images are called."""
    for each in embedding:
        name = f"{data} marked by {each['contender']}"
        for metric in QUALITY:
            values = tally.column(NOTHING, str(each["contender"]), EMBEDDING, metric)
            yield from _mean(name, metric, f"{metric}_input", values)
    for row in rows:
        name = f"{data} marked by {row['contender']}"
        yield from _rates(name if row["attack"] == NOTHING else f"{name} after {row['attack']}", row, tally)
    yield _count(data, "images_failed", len(tally.images))
    yield _count(data, "attacks_failed", len(tally.failed))


def _rates(dataset: str, row: Mapping[str, Any], tally: Tally) -> Iterator[Result]:
    for level in levels_of([row]):
        for kind, better, of in (("tpr", "higher", "marked"), ("fpr", "lower", "unmarked")):
            name = f"{kind}_{level}"
            value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
            yield _result(dataset, name, value, low, high, "Clopper-Pearson", row[of], "", better)
    n = row["marked"] + row["unmarked"]
    yield _result(dataset, "auc", row["auc"], None, None, "no interval", n, "", "higher")
    for metric in QUALITY:
        values = tally.column(str(row["attack"]), str(row["contender"]), MARKED, metric)
        yield from _mean(dataset, metric, metric, values)
    for of in ("marked", "unmarked"):
        yield _count(dataset, f"images_{of}", row[of])


def _mean(dataset: str, metric: str, called: str, values: Floats) -> Iterator[Result]:
    """The mean of what could be measured; nothing where sizes changed, or LPIPS is not here."""
    known = values[~np.isnan(values)]
    if len(known):
        e = mean_interval(known)
        unit, better = OF_QUALITY[metric]
        yield _result(dataset, called, e.value, e.low, e.high, e.method, e.n, unit, better)


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
