"""What a probe comes to: its results, and what the record says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from evalkit.jobs.spec import Spec
from evalkit.metrics.metric import Metric
from evalkit.metrics.probe import IMAGES_MISSING, IMAGES_PROBED
from evalkit.runs.shards import Parts
from evalkit.runs.store import Result
from evalkit.tasks.probe.judged.suite import JudgedSuite
from evalkit.tasks.probe.rows import ProbeRow, ProbeScore
from evalkit.tasks.probe.suite import Suite


def results_of(spec: Spec, suite: Suite, scores: Sequence[tuple[str, ProbeScore]], probed: int) -> list[Result]:
    """Every score by the name that it bears, then how many images have a verdict and how many lack one."""
    protocol, expected = spec.protocols[0].id, int(spec.parameters["expected"])

    def count(metric: Metric, value: int) -> Result:
        return Result(
            "probe", suite.name, metric.name, float(value), None, None, "count", expected, "", metric.better, protocol
        )

    return [
        *(_result(suite, name, score, protocol) for name, score in scores),
        count(IMAGES_PROBED, probed),
        count(IMAGES_MISSING, expected - probed),
    ]


def _result(suite: Suite, name: str, score: ProbeScore, protocol: str) -> Result:
    """The row of a score; one that a policy withholds says why."""
    e = score.estimate
    if isnan(e.value):
        return Result(
            *("probe", suite.name, name, None, None, None, e.method, e.n, "", score.better, protocol),
            status="unavailable",
            reason=score.note or e.method,
        )
    return Result("probe", suite.name, name, e.value, e.low, e.high, e.method, e.n, "", score.better, protocol)


def usage_of(parts: Parts) -> dict[str, Any]:
    """What the judge cost, over all workers: each shard states the total of its worker so far."""
    said = [dict(each["usage"]) for each in parts.facts() if "usage" in each]
    return {"usage": max(said, key=lambda used: used["requests"])} if said else {}


def facts_of(
    spec: Spec,
    suite: Suite,
    made_with: Mapping[str, Any],
    base: str,
    verdicts: Sequence[ProbeRow],
    scores: Sequence[tuple[str, ProbeScore]],
) -> dict[str, Any]:
    """What the record says besides the plan: who made the images, coverage, lost replies, bounds, notes."""
    model, prompts = spec.models["model"], spec.inputs["prompts"]
    given = spec.inputs.get("images") or spec.inputs["evidence"]
    parts = {key: made_with[key] for key in ("boxes", "colors", "judge") if isinstance(made_with.get(key), Mapping)}
    names = {key: str(part.get("encoder") or part.get("judge") or key) for key, part in parts.items()}
    measured = made_with.get("edits")
    measured = measured if isinstance(measured, Mapping) else {}
    networks = {f"probe:{name}": sha for name, sha in measured.items() if isinstance(sha, str)}
    expected, probed = int(spec.parameters["expected"]), len(verdicts)
    lost = Counter(row.state for row in verdicts if row.state != "answered")
    single = Counter[str]()
    for row in verdicts:
        single.update(row.details.get("official", {}).get("lost_by", {}))
    some = bool(lost or single or probed < expected)
    bounds = {name: list(score.bounds) for name, score in scores if score.bounds and some}
    return {
        "model": {"name": model.name, "title": model.name, "weights_sha256": model.sha256},
        "data": {
            "spec": given.source if "images" in spec.inputs else None,
            "name": given.name,
            "n": given.n,
            "digest": given.digest,
        },
        "prompts": {"name": prompts.name, "n": prompts.n, "digest": prompts.digest},
        "protocols": [{"id": each.id, "sha256": each.sha256} for each in spec.protocols],
        "encoders": {f"probe:{names[key]}": part.get("weights_sha256") for key, part in parts.items()} | networks,
        "probe": {
            "suite": suite.name,
            "title": suite.title,
            "score": base,
            "samples": spec.parameters["samples"],
            "expected": expected,
            "probed": probed,
            "coverage": probed / expected,
            "rules": dict(suite.changed),
            "tasks": [name for name, score in scores if score.task and not score.part],
            "scales": {name: _top(suite, score) for name, score in scores if _top(suite, score) != 1},
            "lost": dict(lost),
            "lost_answers": dict(single),
            "bounds": bounds,
            "notes": {name: score.note for name, score in scores if score.note},
            "evidence": dict(made_with),
        },
    }


def _top(suite: Suite, score: ProbeScore) -> float | None:
    """The upper end of a score's scale; None for a measure that is no share, though it ends at 1 (SSIM, LPIPS)."""
    measured = (
        isinstance(suite, JudgedSuite) and suite.said.measures and score.part not in ("", "-") and ":" not in score.part
    )
    return None if measured and score.high == 1 else score.high
