"""The task `probe`: evidence of images by networks, then rules on the evidence, then scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import Checks
from evalkit.jobs.shard import Shard, Sources
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task, Worker
from evalkit.runs.shards import MemoryParts, Parts
from evalkit.runs.store import Run
from evalkit.tasks.probe.checks import ProbeChecks
from evalkit.tasks.probe.evidence.read import read_evidence
from evalkit.tasks.probe.evidence.record import Evidence
from evalkit.tasks.probe.evidence.write import head
from evalkit.tasks.probe.gallery import gallery_positions
from evalkit.tasks.probe.judged.official_files import official_files
from evalkit.tasks.probe.judged.suite import DECLARATION, ITEMS, JudgedSuite
from evalkit.tasks.probe.listing import wanted_places
from evalkit.tasks.probe.page import page
from evalkit.tasks.probe.results import facts_of, results_of, usage_of
from evalkit.tasks.probe.rows import ProbeRow
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
            results_of(spec, suite, scores, len(verdicts)),
            files,
            facts_of(spec, suite, made_with, base, verdicts, scores) | usage_of(parts),
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
        """The spec of a sealed run; the items of a judged suite, and a user's declaration, are those that lie in the run."""
        found = super().spec(run)
        lying = {"items": run.path / ITEMS, "declaration": run.path / DECLARATION}
        return replace(
            found, here={**found.here, **{name: str(file) for name, file in lying.items() if file.is_file()}}
        )

    def checks(self) -> Checks:
        """Verdicts and scores from the evidence."""
        return ProbeChecks(self)


def _absent(spec: Spec, suite: Suite, verdicts: Sequence[ProbeRow]) -> list[ProbeRow]:
    """Rows of the images that are expected and have no verdict."""
    there = {(row.prompt, row.sample) for row in verdicts}
    wanted = wanted_places(suite, int(spec.parameters["samples"]), spec.parameters["limit"])
    return [suite.absent(*place) for place in wanted if place not in there]


PROBE = ProbeTask()
TASKS.add(PROBE.name, PROBE)
__all__ = ["PROBE", "ProbeTask"]
