"""Results of a paired scoring: fidelity over images, clustered by prompt, and what the acceleration gained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evalkit.arrow import numbers
from evalkit.metrics.base import Estimate
from evalkit.metrics.generation import EVALUATIONS, PEAK_MEMORY, SPEED_UP
from evalkit.metrics.metric import Metric
from evalkit.metrics.paired import EXACT, MEMORY_RATIO, OVER_IMAGES, TASK
from evalkit.metrics.registry import METRICS
from evalkit.runs.store import Result
from evalkit.stats.intervals import mean_interval, ratio_interval
from evalkit.tasks.clusters import prompts_of
from evalkit.tasks.paired import rows as columns
from evalkit.text import counted

NO_RECORD = "a run of evalkit generate tells it, and {} is a folder of images"
Array = npt.NDArray[np.float64]


def results_of(
    names: tuple[str, ...],
    good: pa.Table,
    costs: Mapping[str, Mapping[str, Any]],
    labels: tuple[str, str],
    missing: Mapping[str, str],
) -> Iterator[Result]:
    """One row for each of `names`. `costs`: what both records say (data, reference); `missing`: networks that are not here."""
    clusters = prompts_of(good)
    for metric in map(METRICS.get, names):
        lost = next((missing[need] for need in metric.needs if need in missing), None)
        if lost is not None:
            found = _without(lost)
        elif metric in OVER_IMAGES:
            found = _fidelity(metric, good, clusters)
        else:
            found = _cost(metric, good, clusters, costs, labels)
        yield _row(metric, found, labels[1], good.num_rows)


def incomparable(costs: Mapping[str, Mapping[str, Any]], labels: tuple[str, str]) -> str | None:
    """Why seconds and bytes of both runs say nothing beside each other; None where they do."""
    mine, other = costs["data"], costs["reference"]
    for cost, label in ((mine, labels[0]), (other, labels[1])):
        if not cost:
            return NO_RECORD.format(label)
    for name in ("device", "machine"):
        if mine[name] != other[name]:
            return f"the runs were made on another {name} each ({_said(mine[name])}; {_said(other[name])})"
    return None


def remarks(costs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What a reader of the speed-up must know."""
    mine, other = costs["data"], costs["reference"]
    if mine and other and mine["rows"] != other["rows"]:
        said = counted(int(mine["rows"] or 0), "image")
        return [f"The run drew {said} at once and the baseline {other['rows']}; seconds depend on that."]
    if mine and other and mine["acceleration"] != other["acceleration"] and (mine["rows"] or 1) > 1:
        return [f"Some accelerations draw one image at a time; the baseline drew {other['rows']} at once."]
    return []


def _fidelity(metric: Metric, good: pa.Table, clusters: list[str] | None) -> Estimate:
    values = _numbers(good, metric.name)
    if np.isnan(values).all():
        return _without("no pair has it: the images are too small" if good.num_rows else "no pair of images")
    method: Any = "auto" if metric is EXACT else "mean"
    return mean_interval(values, clusters=clusters, method=method, range=(metric.low, metric.high))


def _cost(
    metric: Metric,
    good: pa.Table,
    clusters: list[str] | None,
    costs: Mapping[str, Mapping[str, Any]],
    labels: tuple[str, str],
) -> Estimate:
    if metric in (PEAK_MEMORY, MEMORY_RATIO):
        return _memory(metric, costs, labels)
    column = columns.SECONDS if metric is SPEED_UP else columns.EVALUATIONS
    own, base = _numbers(good, column), _numbers(good, f"{column}{columns.BASELINE}")
    if metric is SPEED_UP and (reason := incomparable(costs, labels)) is not None:
        return _without(reason)
    for cost, label, values in ((costs["data"], labels[0], own), (costs["reference"], labels[1], base)):
        if metric is EVALUATIONS and values is base:
            continue
        if np.isnan(values).any() or not len(values):
            reason = NO_RECORD.format(label) if not cost else f"the record of {label} does not tell it of every image"
            return _without(reason)
    if metric is EVALUATIONS:
        return mean_interval(own, clusters=clusters, method="mean", range=(metric.low, metric.high))
    return ratio_interval(base, own, clusters=clusters)


def _memory(metric: Metric, costs: Mapping[str, Mapping[str, Any]], labels: tuple[str, str]) -> Estimate:
    if not costs["data"]:
        return _without(NO_RECORD.format(labels[0]))
    sides = ("data",) if metric is PEAK_MEMORY else ("data", "reference")
    if len(sides) == 2 and (reason := incomparable(costs, labels)) is not None:
        return _without(reason)
    for side, label in zip(sides, labels, strict=False):
        if not costs[side].get("memory"):
            return _without(f"the record of {label} states no peak memory; evalkit records it from this version on")
    own = float(costs["data"]["memory"])
    if metric is PEAK_MEMORY:
        return Estimate(own, None, None, 1, f"of {costs['data']['memory_of']}, in its record")
    if costs["data"]["memory_of"] != costs["reference"]["memory_of"]:
        return _without("one record states the memory of the device, the other that of the process")
    value = own / float(costs["reference"]["memory"])
    return Estimate(value, None, None, 1, f"of {costs['data']['memory_of']}, in both records")


def _numbers(rows: pa.Table, name: str) -> Array:
    return numbers(rows[name])


def _without(reason: str) -> Estimate:
    return Estimate(math.nan, None, None, 0, reason)


def _row(metric: Metric, found: Estimate, dataset: str, n: int) -> Result:
    told = (metric.unit, metric.better, "")
    if math.isnan(found.value):
        return Result(TASK, dataset, metric.name, None, None, None, "", n, *told, "unavailable", found.method)
    return Result(TASK, dataset, metric.name, found.value, found.low, found.high, found.method, found.n, *told)


def _said(value: Any) -> str:
    return ", ".join(str(each) for each in value if each is not None) if isinstance(value, list) else str(value)
