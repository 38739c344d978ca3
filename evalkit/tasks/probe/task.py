"""The task `probe`: evidence of images by networks, then rules on the evidence, then scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from typing import Any

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import Checks
from evalkit.jobs.shard import Shard, Sources
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task, Worker
from evalkit.metrics.metric import Metric
from evalkit.metrics.probe import IMAGES_MISSING, IMAGES_PROBED
from evalkit.runs.shards import MemoryParts, Parts
from evalkit.runs.store import Result, Run
from evalkit.tasks.probe.checks import ProbeChecks
from evalkit.tasks.probe.evidence.read import read_evidence
from evalkit.tasks.probe.evidence.record import Evidence
from evalkit.tasks.probe.evidence.write import head
from evalkit.tasks.probe.gallery import gallery_positions
from evalkit.tasks.probe.judged.official_files import official_files
from evalkit.tasks.probe.judged.suite import ITEMS, JudgedSuite
from evalkit.tasks.probe.listing import wanted_places
from evalkit.tasks.probe.page import page
from evalkit.tasks.probe.rows import ProbeRow, ProbeScore
from evalkit.tasks.probe.spec import EVIDENCE, encoders_of, evidence_of, listing_of, suite_of
from evalkit.tasks.probe.suite import Suite
from evalkit.tasks.probe.table import SCHEMA, looked, looked_row, samples_table, seen_in
from evalkit.tasks.probe.worker import GivenWorker, LookingWorker


class ProbeTask(Task):
    """One suite on one set of images, or on their evidence."""

    name = "probe"

    def size(self, spec: Spec) -> int:
        """Images that are there."""
        return (spec.inputs.get("images") or spec.inputs["evidence"]).n

    def title(self, spec: Spec) -> str:
        """The suite and the model."""
        return f"{spec.parameters['suite']}: {spec.models['model'].name}"

    def schema(self, spec: Spec) -> pa.Schema:
        """The columns of every suite; one for each score follows them."""
        return SCHEMA

    def open(self, spec: Spec, device: str) -> Worker:
        """The networks that the suite needs, or the evidence that was given."""
        suite, model = suite_of(spec), spec.models["model"].name
        if "evidence" in spec.inputs:
            return GivenWorker(evidence_of(spec, suite), suite, model)
        return LookingWorker(
            suite,
            listing_of(spec, suite),
            encoders_of(spec, device),
            model=model,
            allow_missing=bool(spec.parameters["allow_missing"]),
            threads=int(spec.here.get("threads", 2)),
        )

    def sources(self, spec: Spec) -> Sources | None:
        """The images that were listed."""
        if "images" not in spec.inputs:
            return None
        pairs = [(each.id, each.sha256) for each in listing_of(spec, suite_of(spec)).images]
        return Sources(("images",), lambda shard: set(pairs[shard.start : shard.stop]))

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """Verdicts by the rules, scores, the evidence in one file, and the benchmark's own files."""
        suite, rows = suite_of(spec), pa.concat_tables(parts.tables()).to_pylist()
        made_with = next((dict(each["evidence"]) for each in parts.facts() if "evidence" in each), {})
        seen = {row["image"]: seen_in(row) for row in rows if row["evidence"] is not None}
        if not seen:
            raise EvalkitError(f"no image of {spec.models['model'].name} could be read. Make the images again")
        verdicts = suite.rules(Evidence(tuple(seen.values()), made_with))
        base = suite.score_name(made_with)
        lost = _absent(spec, suite, verdicts)
        scores = [(base + each.name.removeprefix(suite.name), each) for each in suite.summary([*verdicts, *lost])]
        prompts = {prompt.id: prompt for prompt in suite.prompts()}
        lines = "".join(row["evidence"] for row in rows if row["evidence"] is not None)
        files = {EVIDENCE: head(made_with) + lines.encode("utf-8", "surrogatepass"), **suite.files(verdicts)}
        if isinstance(suite, JudgedSuite):
            files |= official_files(suite, Evidence(tuple(seen.values()), made_with))
        return Aggregated(
            [samples_table(rows, seen, verdicts, scores, prompts)],
            _results(spec, suite, scores, len(verdicts)),
            files,
            _facts(spec, suite, made_with, base, verdicts, scores) | _usage(parts),
        )

    def exhibits(self, spec: Spec, samples: pa.Table) -> Sequence[Shard]:
        """Small copies of the images that the page shows."""
        positions = gallery_positions(samples) if "images" in spec.inputs else []
        return [Shard("gallery", 0, len(positions), {"positions": positions})] if positions else ()

    def page(self, run: Run) -> str:
        """Scores, and images with what was seen in them."""
        return page(run)

    def parts(self, run: Run) -> Parts:
        """The evidence of a sealed run beside its images' names."""
        evidence = read_evidence(run.path / EVIDENCE)
        lines = {each.image: looked_row(each)["evidence"] for each in evidence.images}
        kept = run.samples.select([name for name in looked([]).column_names if name != "evidence"]).to_pylist()
        rows = looked({**row, "evidence": lines.get(row["image"])} for row in kept)
        return MemoryParts(rows, {}, {"evidence": evidence.facts})

    def spec(self, run: Run) -> Spec:
        """The spec of a sealed run; the items of a judged suite are those that lie in the run."""
        found, items = super().spec(run), run.path / ITEMS
        return replace(found, here={**found.here, "items": str(items)}) if items.is_file() else found

    def checks(self) -> Checks:
        """Verdicts and scores from the evidence."""
        return ProbeChecks(self)


def _results(spec: Spec, suite: Suite, scores: Sequence[tuple[str, ProbeScore]], probed: int) -> list[Result]:
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


def _absent(spec: Spec, suite: Suite, verdicts: Sequence[ProbeRow]) -> list[ProbeRow]:
    """Rows of the images that are expected and have no verdict."""
    there = {(row.prompt, row.sample) for row in verdicts}
    wanted = wanted_places(suite, int(spec.parameters["samples"]), spec.parameters["limit"])
    return [suite.absent(*place) for place in wanted if place not in there]


def _usage(parts: Parts) -> dict[str, Any]:
    """What the judge cost, over all workers: each shard states the total of its worker so far."""
    said = [dict(each["usage"]) for each in parts.facts() if "usage" in each]
    return {"usage": max(said, key=lambda used: used["requests"])} if said else {}


def _facts(
    spec: Spec,
    suite: Suite,
    made_with: Mapping[str, Any],
    base: str,
    verdicts: Sequence[ProbeRow],
    scores: Sequence[tuple[str, ProbeScore]],
) -> dict[str, Any]:
    model, prompts = spec.models["model"], spec.inputs["prompts"]
    given = spec.inputs.get("images") or spec.inputs["evidence"]
    parts = {key: made_with[key] for key in ("boxes", "colors", "judge") if isinstance(made_with.get(key), Mapping)}
    names = {key: str(part.get("encoder") or part.get("judge") or key) for key, part in parts.items()}
    expected, probed = int(spec.parameters["expected"]), len(verdicts)
    lost = Counter(row.state for row in verdicts if row.state != "answered")
    bounds = {name: list(score.bounds) for name, score in scores if score.bounds and (lost or probed < expected)}
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
        "encoders": {f"probe:{names[key]}": part.get("weights_sha256") for key, part in parts.items()},
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


PROBE = ProbeTask()
TASKS.add(PROBE.name, PROBE)
__all__ = ["PROBE", "ProbeTask"]
