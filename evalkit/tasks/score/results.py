"""Results of a scoring: every metric's value with its interval, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from evalkit.arrow import numbers
from evalkit.jobs.spec import Spec
from evalkit.metrics.base import Estimate
from evalkit.metrics.generation import IMAGES_FAILED
from evalkit.metrics.metric import Metric
from evalkit.metrics.niqe import LUMA, NEEDED
from evalkit.metrics.registry import METRICS
from evalkit.metrics.sets.composition import ALONE, Side, score_sets
from evalkit.metrics.sets.names import set_metrics
from evalkit.protocols.score import ScoreProtocol
from evalkit.runs.store import Result
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.score.rows import IMAGES

TASK = "score"
SORTED, SINGULAR = "sorted by class", "is not above the"  # what methods say of sets that a value suffers from


def results_of(
    spec: Spec, rows: pa.Table, images: Side, reference: Side, protocol: ScoreProtocol, missing: Mapping[str, str]
) -> Iterator[Result]:
    """One row a metric, in the order they were asked for, and how many images failed. `missing`: why a network is not here."""
    mine = rows.filter(pc.equal(rows["side"], IMAGES))
    good = mine.filter(pc.is_null(mine["error"]))
    lost = {name: _lost(METRICS.get(name), missing) for name in spec.metrics}
    here = [name for name in set_metrics(spec.metrics) if lost[name] is None]
    found = score_sets(here, images, reference, protocol, seed=spec.seed)
    for name in spec.metrics:
        metric, reason = METRICS.get(name), lost[name]
        if reason is not None:
            estimate = Estimate(math.nan, None, None, good.num_rows, reason)
        else:
            estimate = found[name] if name in found else _mean(good, metric)
        yield _row(metric, dataset_of(spec, metric), estimate, protocol.id, good.num_rows)
    failed = float(mine.num_rows - good.num_rows)
    told = (IMAGES_FAILED.unit, IMAGES_FAILED.better, protocol.id)
    label = spec.inputs["data"].name
    yield Result(TASK, label, IMAGES_FAILED.name, failed, None, None, "count", mine.num_rows, *told)


def warnings_of(results: Sequence[Result]) -> list[str]:
    """What a reader of the values must know: sorted images, and fewer images than dimensions."""
    found = [f"{each.metric}: {each.ci_method}" for each in results if SORTED in each.ci_method]
    few = [each.metric for each in results if SINGULAR in each.ci_method]
    if few:
        found.append(f"{', '.join(few)}: there are fewer images than features, so the distance is far above its limit")
    return found


def dataset_of(spec: Spec, metric: Metric) -> str:
    """The label of what a number is taken against: the reference, the prompts, or the images themselves."""
    role = "prompts" if metric.level == "sample" else "data" if metric.name in ALONE else "reference"
    return (spec.inputs.get(role) or spec.inputs["data"]).name


def _lost(metric: Metric, missing: Mapping[str, str]) -> str | None:
    return next((missing[need] for need in metric.needs if need in missing), None)


def _mean(good: pa.Table, metric: Metric) -> Estimate:
    values = numbers(good[metric.name])
    found = mean_interval(values, range=(metric.low, metric.high))
    if found.n:
        return found
    why = f": {NEEDED}" if metric.name in LUMA else ""
    return Estimate(math.nan, None, None, 0, f"no image has this score{why}")


def _row(metric: Metric, dataset: str, estimate: Estimate, protocol: str, n: int) -> Result:
    known = not math.isnan(estimate.value)
    return Result(
        TASK,
        dataset,
        metric.name,
        float(estimate.value) if known else None,
        _bound(estimate.low, metric),
        _bound(estimate.high, metric),
        estimate.method if known else "",
        estimate.n if known else n,
        metric.unit,
        metric.better,
        protocol,
        "ok" if known else "unavailable",
        None if known else estimate.method,
    )


def _bound(bound: float | None, metric: Metric) -> float | None:
    if bound is None or math.isnan(bound):
        return None
    low = -math.inf if metric.low is None else metric.low
    high = math.inf if metric.high is None else metric.high
    return float(min(max(bound, low), high))
