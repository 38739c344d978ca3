"""The boards' numbers in the form of Every Eval Ever, schema 0.3.0: one file a system.

Source: github.com/evaleval/every_eval_ever, every_eval_ever/schemas/eval.schema.json at commit 9bce4136. Samples are left
out: that schema asks whether an answer is correct, which a PSNR is not.
"""

from __future__ import annotations

import datetime
import hashlib
import math
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.jsonio import canonical_json
from evalkit.leaderboard.boards import Board
from evalkit.leaderboard.entrants import Entrant
from evalkit.leaderboard.rank import LEVEL, Standing
from evalkit.metrics.registry import METRICS
from evalkit.text import visible

SCHEMA = "0.3.0"
COLLECTION = "evalkit"


def entries(boards: Sequence[Board], entrants: Sequence[Entrant], organization: str) -> dict[str, dict[str, Any]]:
    """By path (data/<collection>/<developer>/<model>/<uuid>.json): one entry for each system that has a finite number.

    `organization` is who ran the evaluations. Aggregates are left out, since they follow from the rest.
    """
    made = {}
    for entrant in entrants:
        results = [
            _result(board, standing)
            for board in boards
            for standing in board.order.standings
            if standing.figure.entrant == entrant.number and not board.parts and _finite(standing.figure.value)
        ]
        if results:
            entry = _entry(entrant, results, organization)
            model = safe(entrant.model)
            made[f"data/{COLLECTION}/{safe(developer(entrant))}/{model}/{_uuid(entry)}.json"] = entry
    return made


def developer(entrant: Entrant) -> str:
    """The owner of the model's code, as its card names it; `unknown` where it does not."""
    model = entrant.record.get("model")
    card = model.get("card") if isinstance(model, dict) else None
    code = str(card.get("code") or "") if isinstance(card, dict) else ""
    found = re.match(r"https://github\.com/([A-Za-z0-9-]+)/", code)
    return found.group(1) if found else "unknown"


def _entry(entrant: Entrant, results: list[dict[str, Any]], organization: str) -> dict[str, Any]:
    record = entrant.record
    model = record.get("model") if isinstance(record.get("model"), dict) else {}
    identity = f"{safe(developer(entrant))}/{safe(entrant.model)}"
    moment = _epoch(record.get("created"))
    weights = (model or {}).get("weights_sha256")
    name = str((record.get("data") or {}).get("name") or entrant.task)
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"{visible(name)}/{identity}/{moment}",
        "retrieved_timestamp": moment,
        "evaluation_timestamp": moment,
        "source_metadata": {
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": "other",
            "additional_details": {
                "record_sha256": entrant.digests["record.json"],
                "results_sha256": entrant.digests["results.json"],
                "samples_sha256": entrant.digests["samples.parquet"],
            },
        },
        "eval_library": {"name": "evalkit", "version": str(record.get("evalkit") or "unknown")},
        "model_info": {
            "name": visible(entrant.model),
            "id": identity,
            "developer": developer(entrant),
            "additional_details": {
                "deployment_type": "self_deployed",
                "model_availability": "unknown",
                **({"weights_sha256": str(weights)} if weights else {}),
            },
        },
        "evaluation_results": results,
    }


def _result(board: Board, standing: Standing) -> dict[str, Any]:
    terms, figure = board.terms, standing.figure
    info = METRICS.find(terms.metric)
    uncertainty: dict[str, Any] = {"num_samples": terms.n}
    if figure.low is not None and figure.high is not None:
        uncertainty["confidence_interval"] = {
            "lower": figure.low,
            "upper": figure.high,
            "confidence_level": LEVEL,
            "method": figure.method,
        }
    return {
        "evaluation_result_id": terms.digest,
        "evaluation_name": visible(f"{terms.dataset}: {terms.metric}"),
        "source_data": {
            "dataset_name": visible(terms.dataset),
            "source_type": "other",
            "additional_details": {"data_digest": terms.data, "task": visible(terms.task)},
        },
        "metric_config": {
            "evaluation_description": info.title if info else visible(terms.metric),
            "metric_id": visible(terms.metric),
            "metric_name": visible(terms.metric),
            "metric_unit": visible(board.unit),
            "metric_parameters": {"protocol": visible(terms.protocol), "protocol_sha256": terms.rules},
            "lower_is_better": board.better == "lower",
            "score_type": "continuous",
            "min_score": "-Infinity" if info is None or info.low is None else info.low,
            "max_score": "Infinity" if info is None or info.high is None else info.high,
        },
        "score_details": {
            "score": figure.value,
            "uncertainty": uncertainty,
            "details": {"rank_interval": f"{standing.best}-{standing.worst}", "tier": str(standing.tier)},
        },
    }


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _uuid(entry: Mapping[str, Any]) -> uuid.UUID:
    """A version 4 identifier that the same entry gets again."""
    return uuid.UUID(bytes=hashlib.sha256(canonical_json(entry)).digest()[:16], version=4)


def _epoch(created: Any) -> str:
    try:
        moment = datetime.datetime.fromisoformat(str(created))
    except ValueError:
        return "0"
    return str(int(moment.replace(tzinfo=moment.tzinfo or datetime.UTC).timestamp()))


def safe(name: str) -> str:
    """A name as a part of a path."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name).strip(".")[:80] or "unnamed"
