"""The task `watermark-attack`: every image of a set under every attack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.images import content_digest, open_images
from evalkit.jobs.checks import Checks
from evalkit.jobs.data import sources_of_blocks
from evalkit.jobs.live import find
from evalkit.jobs.shard import Shard, Sources
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task
from evalkit.jsonio import canonical_json, pretty_json
from evalkit.metrics.generation import IMAGES_FAILED
from evalkit.metrics.metric import Metric
from evalkit.metrics.psnr import PSNR
from evalkit.metrics.watermark import CHANGED_SHARE
from evalkit.runs.shards import Parts
from evalkit.runs.store import Result
from evalkit.stats.intervals import mean_interval
from evalkit.watermark.attacks.base import Attack
from evalkit.watermark.attacks.checks import AttackChecks
from evalkit.watermark.attacks.names import file_stems
from evalkit.watermark.attacks.rows import SCHEMA
from evalkit.watermark.attacks.spelling import Options, read_attack
from evalkit.watermark.attacks.worker import AttackWorker

MANIFEST = "manifest.jsonl"


class AttackTask(Task):
    """Images under attacks, a folder for each attack."""

    name = "watermark-attack"

    def size(self, spec: Spec) -> int:
        """Images times attacks."""
        return spec.inputs["data"].n * len(spec.parameters["attacks"])

    def title(self, spec: Spec) -> str:
        """How many attacks."""
        return f"{len(spec.parameters['attacks'])} attacks"

    def schema(self, spec: Spec) -> pa.Schema:
        """One row for each image and attack."""
        return SCHEMA

    def shards(self, spec: Spec) -> Sequence[Shard]:
        """Some images under all attacks without a network, one after the other; then each network over all images."""
        n, attacks = spec.inputs["data"].n, spec.parameters["attacks"]
        blocks = [(start, min(start + spec.shard, n)) for start in range(0, n, spec.shard)]
        light = [i for i, each in enumerate(attacks) if not each["network"]]
        heavy = [i for i, each in enumerate(attacks) if each["network"]]
        order = [*((i, block) for block in blocks for i in light), *((i, block) for i in heavy for block in blocks)]
        return [Shard(f"{i:04d}-{a:08d}", i * n + a, i * n + b) for i, (a, b) in order]

    def open(self, spec: Spec, device: str) -> AttackWorker:
        """The attacks; those that hold networks load them when they begin."""
        images = open_images(str(spec.inputs["data"].source))
        names = file_stems(images.ids()[: spec.inputs["data"].n])
        attacks = opened_attacks(spec, device)
        here = spec.here
        return AttackWorker(
            images,
            attacks,
            names,
            seed=spec.seed,
            batch=int(here.get("batch_size", 8)),
            threads=int(here.get("threads", 2)),
        )

    def sources(self, spec: Spec) -> Sources | None:
        """The images, for each attack."""
        n = spec.inputs["data"].n
        return sources_of_blocks(n, ("data", open_images(str(spec.inputs["data"].source)), n))

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """Rows by attack, then image; the manifest; how many changed and what is left of them."""
        attacks, data = spec.parameters["attacks"], spec.inputs["data"]
        rows = pa.concat_tables([SCHEMA.empty_table(), *parts.tables()])
        tables = [rows.filter(pc.equal(rows["attack"], each["record"]["name"])) for each in attacks]
        files = {
            f"{each['folder']}/attack.json": pretty_json({**each["record"], "seed": spec.seed}) for each in attacks
        }
        lines = (canonical_json(row) + b"\n" for table in tables for row in table.to_pylist())
        facts = {
            "data": {
                "spec": data.source,
                "name": data.name,
                "n": data.n,
                "digest": _content(tables, data.digest),
                **spec.here.get("data", {}),
            },
            "attacks": [each["record"] for each in attacks],
        }
        results = [
            result for each, table in zip(attacks, tables, strict=True) for result in _results(spec, each, table)
        ]
        return Aggregated(tables, results, {**files, MANIFEST: b"".join(lines)}, facts)

    def checks(self) -> Checks:
        """The manifest against the rows; images attacked again."""
        return AttackChecks(self)


def opened_attacks(spec: Spec, device: str) -> list[Attack]:
    """The attacks of a spec, from their spelling or from objects of this process."""
    options = Options(device, str(spec.here.get("dtype", "float32")), tuple(spec.here.get("weights", ())))
    at_hand = spec.here.get("attacks", {})
    names = [each["record"]["name"] for each in spec.parameters["attacks"]]
    return [find(at_hand.get(name)) or read_attack(name, options) for name in names]


def _content(tables: Sequence[pa.Table], digest: str) -> str:
    """The digest of the images that were really read; that of the plan where there is no attack."""
    if not tables:
        return digest
    rows = tables[0].select(["id", "source_sha256"]).to_pylist()
    return content_digest((row["id"], row["source_sha256"]) for row in rows)


def _results(spec: Spec, attack: dict[str, Any], rows: pa.Table) -> Iterator[Result]:
    dataset = f"{spec.inputs['data'].name} after {attack['record']['name']}"

    def result(metric: Metric, values: list[Any]) -> Result:
        found = mean_interval(np.asarray(values, np.float64), range=(metric.low, metric.high))
        told = (metric.unit, metric.better, "")
        return Result("attack", dataset, metric.name, found.value, found.low, found.high, found.method, found.n, *told)

    done = rows.filter(pc.is_null(rows["error"]))
    failed = float(rows.num_rows - done.num_rows)
    told = (IMAGES_FAILED.unit, IMAGES_FAILED.better, "")
    yield Result("attack", dataset, IMAGES_FAILED.name, failed, None, None, "count", rows.num_rows, *told)
    if done.num_rows:
        yield result(CHANGED_SHARE, done["changed"].to_pylist())
    values = [value for value in done[PSNR.name].to_pylist() if value is not None]
    if values:
        yield result(PSNR, values)


ATTACK = AttackTask()
TASKS.add(ATTACK.name, ATTACK)
