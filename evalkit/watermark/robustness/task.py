"""The task `watermark-robustness`: images marked by every contender, and tested after every attack."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from evalkit.images import content_digest, open_images
from evalkit.jobs.checks import Checks
from evalkit.jobs.data import sources_of_blocks
from evalkit.jobs.shard import Shard, Sources
from evalkit.jobs.spec import DataRef, Spec
from evalkit.jobs.task import TASKS, Aggregated, Task
from evalkit.jobs.timers import Timers
from evalkit.jsonio import parse_json, pretty_json
from evalkit.runs.shards import Parts
from evalkit.runs.store import Run
from evalkit.watermark.attacks.task import opened_attacks
from evalkit.watermark.robustness.blocks import Blocks
from evalkit.watermark.robustness.checks import RobustnessChecks
from evalkit.watermark.robustness.opening import opened_contenders
from evalkit.watermark.robustness.page import page
from evalkit.watermark.robustness.quality import Quality
from evalkit.watermark.robustness.results import results_of
from evalkit.watermark.robustness.rows import LPIPS, METRICS, NOTHING, SCHEMA
from evalkit.watermark.robustness.summary import csv_text, embedding_rows, summarised
from evalkit.watermark.robustness.tally import Tally
from evalkit.watermark.robustness.worker import RobustnessWorker

CSV, JSON = "robustness.csv", "robustness.json"
LEFT_OUT = ("absent", "failed", "lpips_unavailable")  # contenders, attacks and a metric that no plan could hold: why


class RobustnessTask(Task):
    """Contenders under attacks, on the same images."""

    name = "watermark-robustness"

    def size(self, spec: Spec) -> int:
        """Images times attacks, the images as they are among these."""
        return images_of(spec) * (1 + len(spec.parameters["attacks"]))

    def title(self, spec: Spec) -> str:
        """How many attacks."""
        return f"{1 + len(spec.parameters['attacks'])} attacks"

    def schema(self, spec: Spec) -> pa.Schema:
        """One row for each image, set, contender and attack."""
        return SCHEMA

    def shards(self, spec: Spec) -> Sequence[Shard]:
        """A block of images under nothing and all attacks without a network; then each network over all blocks."""
        n, networks = images_of(spec), [False, *(each["network"] for each in spec.parameters["attacks"])]
        blocks = [(start, min(start + spec.shard, n)) for start in range(0, n, spec.shard)]
        light = [number for number, network in enumerate(networks) if not network]
        heavy = [number for number, network in enumerate(networks) if network]
        order = [*((i, block) for block in blocks for i in light), *((i, block) for i in heavy for block in blocks)]
        return [Shard(f"{i:04d}-{a:08d}", i * n + a, i * n + b) for i, (a, b) in order]

    def open(self, spec: Spec, device: str) -> RobustnessWorker:
        """Contenders with their keys, and LPIPS; attacks that hold networks load them when they begin."""
        contenders, timers = opened_contenders(spec, device), Timers()
        marked = spec.inputs.get("marked")
        blocks = Blocks(
            open_images(str(spec.inputs["data"].source)),
            None if marked is None else open_images(str(marked.source)),
            contenders,
            given=given_of(spec),
            limits=(spec.inputs["data"].n, marked.n if marked else 0),
            side=spec.parameters["side"],
            threads=int(spec.here.get("threads", 2)),
            timers=timers,
        )
        quality = Quality(spec.models.get(LPIPS))
        attacks = opened_attacks(spec, device)
        n = images_of(spec)
        return RobustnessWorker(blocks, contenders, attacks, quality, images=n, seed=spec.seed, timers=timers)

    def sources(self, spec: Spec) -> Sources | None:
        """The images of both sets, for each attack."""
        sets = ((role, open_images(str(each.source)), each.n) for role, each in spec.inputs.items())
        return sources_of_blocks(images_of(spec), *sets)

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """Rates of each contender under each attack that was done, as results, CSV and JSON; rows stay in shard order."""
        tally = Tally(parts.tables(), given_of(spec))
        before: Mapping[str, Any] = next(iter(parts.facts()), {})
        left_out = {name: spec.here.get(name, before.get(name)) for name in LEFT_OUT}
        taking = [each for each in spec.parameters["contenders"] if each["record"]["name"] not in tally.absent]
        attacks = [NOTHING, *(each["record"]["name"] for each in spec.parameters["attacks"])]
        names = [each["record"]["name"] for each in taking]
        rows = list(summarised(tally, attacks, names, spec.parameters["levels"]))
        embedding = list(embedding_rows(tally, [each["record"]["name"] for each in taking if not each["given"]]))
        said = {
            "rows": [{key: _plain(value) for key, value in row.items()} for row in rows],
            "embedding": embedding,
            **_told(spec, tally, left_out),
        }
        name = f"{spec.inputs['data'].name}[{spec.parameters['side']} px]"
        results = list(results_of(name, rows, embedding, tally))
        files = {JSON: pretty_json(said), CSV: csv_text(rows).encode()}
        return Aggregated(parts.tables(), results, files, {**facts_of(spec, tally), **left_out})

    def page(self, run: Run) -> str:
        """Curves, the table of all attacks, and who was absent."""
        return page(parse_json((run.path / JSON).read_bytes(), JSON))

    def checks(self) -> Checks:
        """Rates from rows; kept images attacked and measured again."""
        return RobustnessChecks(self)


def images_of(spec: Spec) -> int:
    """Length of the longer listing: that of unmarked images, or of those that carry the mark."""
    return max(each.n for each in spec.inputs.values())


def given_of(spec: Spec) -> str | None:
    """The contender whose mark images carry already."""
    return next((each["record"]["name"] for each in spec.parameters["contenders"] if each["given"]), None)


def facts_of(spec: Spec, tally: Tally) -> dict[str, Any]:
    """What the record says of contenders, data and networks besides the plan."""
    contenders = [each["record"] for each in spec.parameters["contenders"]]
    names = ", ".join(each["name"] for each in contenders)
    read = {"data": tally.sources, "marked": tally.marked}
    inputs = {role: _data(each, read[role], spec.here.get(role, {})) for role, each in spec.inputs.items()}
    encoders = {METRICS[role].name: model.sha256 for role, model in spec.models.items() if role == LPIPS}
    return {"model": {"name": names, "title": names}, **inputs, "contenders": contenders, "encoders": encoders}


def _told(spec: Spec, tally: Tally, left_out: Mapping[str, Any]) -> dict[str, Any]:
    """What robustness.json says beside its numbers."""
    return {
        "absent": {**(left_out["absent"] or {}), **tally.absent},
        "failed": {**tally.images, **(left_out["failed"] or {}), **tally.failed},
        "nulls": {each["record"]["name"]: each["null"] for each in spec.parameters["contenders"]},
        "lpips_unavailable": left_out["lpips_unavailable"],
    }


def _data(ref: DataRef, read: Mapping[str, str | None], told: Mapping[str, Any]) -> dict[str, Any]:
    """With the digest of the images that were really read."""
    return {"spec": ref.source, "name": ref.name, "n": ref.n, "digest": content_digest(read.items()), **told}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


ROBUSTNESS = RobustnessTask()
TASKS.add(ROBUSTNESS.name, ROBUSTNESS)
