"""A record of Every Eval Ever (schema 0.3.0): one system, its results with who evaluated it.

Source: github.com/evaleval/every_eval_ever, every_eval_ever/schemas/eval.schema.json at commit 9bce4136.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.leaderboard.imports.taken import NONE, Taken
from evalkit.metrics.registry import METRICS
from evalkit.runs.store import Result
from evalkit.text import as_float, visible


def take_record(record: Any, path: Path, model: str) -> Taken:
    """The finite results of a record; `model`: another name than the record's.

    Raises `EvalkitError` where the record is not of this schema.
    """
    try:
        results = tuple(filter(None, (_result(each) for each in record["evaluation_results"])))
        name = model or str(record["model_info"].get("name") or record["model_info"]["id"])
        source = str(record["source_metadata"]["source_organization_name"])
        facts = {
            "schema_version": str(record["schema_version"]),
            "evaluation_id": str(record["evaluation_id"]),
            "relationship": str(record["source_metadata"].get("evaluator_relationship") or ""),
        }
    except (StopIteration, *DAMAGED) as error:
        said = f"{error} is missing" if isinstance(error, KeyError) else "a part has another form"
        raise EvalkitError(f"{path}: {said}; give a record of Every Eval Ever, schema 0.3.0") from None
    if not results:
        raise EvalkitError(f"{path} holds no finite score; give a record with results")
    n = max(result.n for result in results)
    return Taken(visible(name), results[0].dataset, n, results, NONE.empty_table(), source, facts)


def _result(said: Mapping[str, Any]) -> Result | None:
    config, details = said["metric_config"], said["score_details"]
    value = as_float(details["score"])
    if value is None or value in (float("inf"), float("-inf")):
        return None
    metric = metric_of(config, str(said["evaluation_name"]))
    uncertainty = details.get("uncertainty") or {}
    interval = uncertainty.get("confidence_interval") or {}
    level = as_float(interval.get("confidence_level"))
    bounds = [as_float(interval.get(end)) if level in (None, 0.95) else None for end in ("lower", "upper")]
    return Result(
        task=_task(metric),
        dataset=visible(said["source_data"].get("dataset_name") or "not stated"),
        metric=metric,
        value=value,
        low=bounds[0],
        high=bounds[1],
        ci_method=visible(interval.get("method") or "as imported"),
        n=int(uncertainty.get("num_samples") or 0),
        unit=visible(config.get("metric_unit") or ""),
        better="lower" if config["lower_is_better"] else "higher",
        protocol=visible((config.get("metric_parameters") or {}).get("protocol") or "imported"),
    )


def metric_of(config: Mapping[str, Any], name: str) -> str:
    """evalkit's name of the metric where one of the record's names is known here, else the record's own."""
    given = [str(config.get("metric_id") or ""), str(config.get("metric_name") or ""), name]
    labels = {each.label.casefold(): each.name for each in METRICS.all()}
    for each in given:
        if each and METRICS.find(each) is not None:
            return each
        if each.casefold() in labels:
            return labels[each.casefold()]
    return visible(next(filter(None, given)))


def _task(metric: str) -> str:
    declared = METRICS.find(metric)
    return declared.task if declared is not None else "imported"
