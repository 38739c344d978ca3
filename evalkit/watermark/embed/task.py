"""The task `watermark`: a folder of images marked afterwards."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa

from evalkit.arrow import numbers
from evalkit.images import content_digest, open_images
from evalkit.jobs.checks import Checks
from evalkit.jobs.data import sources_of
from evalkit.jobs.shard import Sources
from evalkit.jobs.spec import DataRef, ModelRef, Spec
from evalkit.jobs.task import TASKS, Aggregated, Task
from evalkit.metrics.watermark import EMBEDDED
from evalkit.runs.shards import Parts
from evalkit.runs.store import Result, Run
from evalkit.stats.intervals import mean_interval
from evalkit.watermark.attacks.names import file_stems
from evalkit.watermark.embed.checks import EmbedChecks
from evalkit.watermark.embed.nudge import Nudge
from evalkit.watermark.embed.page import page
from evalkit.watermark.embed.rows import SCHEMA
from evalkit.watermark.embed.worker import EmbedWorker
from evalkit.watermark.methods.files import NAME, content_of, mark_json, seal_of
from evalkit.watermark.shipped import identity_of, opened_mark, opened_tokenizer


class EmbedTask(Task):
    """One mark on one image set."""

    name = "watermark"

    def size(self, spec: Spec) -> int:
        """Images to mark."""
        return spec.inputs["data"].n

    def title(self, spec: Spec) -> str:
        """The tokenizer."""
        return spec.models["tokenizer"].name

    def schema(self, spec: Spec) -> pa.Schema:
        """One row for each image."""
        return SCHEMA

    def open(self, spec: Spec, device: str) -> EmbedWorker:
        """The tokenizer, and the mark with its key."""
        tokenizer = opened_tokenizer(spec.models["tokenizer"], spec.here, device)
        images = open_images(str(spec.inputs["data"].source))
        said = spec.parameters["embedding"]
        most = said["most_cost"]
        mark = opened_mark(spec.parameters["mark"], spec.here, tokenizer)
        return EmbedWorker(
            images,
            tokenizer,
            mark,
            list(file_stems(images.ids()[: self.size(spec)]).values()),
            fraction=said["fraction"],
            most_cost=math.inf if most is None else most,
            nudge=nudge_of(said),
            batch_size=spec.parameters["batch_size"],
            threads=int(spec.here.get("threads", 2)),
            seal=seal_of(mark.key, _content_of(spec)),
        )

    def sources(self, spec: Spec) -> Sources | None:
        """The images."""
        return sources_of(("data", open_images(str(spec.inputs["data"].source)), self.size(spec)))

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """Means of what marking cost, and mark.json."""
        facts: Mapping[str, Any] = next(iter(parts.facts()), {})
        model, data, lost = spec.models["tokenizer"], spec.inputs["data"], Counter[str]()
        for each in parts.facts():
            lost.update(each.get("lost", {}))
        said = {
            "model": {"name": model.name, "title": model.name, **facts.get("model", {})},
            "data": {
                "name": data.name,
                "n": data.n,
                "digest": _content(parts),
                "spec": data.source,
                "lost": dict(sorted(lost.items())),
                **spec.here.get("data", {}),
            },
        }
        files = {NAME: mark_json(_content_of(spec), facts["seal"])} if "seal" in facts else {}
        return Aggregated(parts.tables(), list(_results(data.name, parts)), files, said)

    def page(self, run: Run) -> str:
        """Strips before and after, and what it cost."""
        return page(run, self.spec(run))

    def checks(self) -> Checks:
        """Means from rows, rows against images."""
        return EmbedChecks(self)

    def upgrade(self, run: Run) -> Spec:
        """Plans that were written before format 2."""
        plan, model = run.record["plan"], run.record["model"]
        data = plan["data"]
        return Spec(
            self.name,
            1,
            {"tokenizer": ModelRef(model["name"], model["weights_sha256"], plan["dtype"])},
            {"data": DataRef(data["name"], data["n"], data["digest"])},
            parameters={name: plan[name] for name in ("mark", "embedding", "batch_size")},
        )


def _content_of(spec: Spec) -> dict[str, Any]:
    return content_of(spec.parameters["mark"], identity_of(spec.models["tokenizer"]), spec.parameters["embedding"])


def nudge_of(said: Mapping[str, Any]) -> Nudge | None:
    """How pixels are changed, where the images keep their own."""
    numbers = {each.name: said.get(each.name, 0.0) for each in fields(Nudge)}  # earlier runs know no template
    return Nudge(**numbers) if said.get("by") == "pixels" else None


def _content(parts: Parts) -> str:
    """The digest of the images that were really read."""
    columns = (table.select(["id", "source_sha256"]).to_pylist() for table in parts.tables())
    return content_digest((row["id"], row["source_sha256"]) for rows in columns for row in rows)


def _results(name: str, parts: Parts) -> Iterator[Result]:
    columns: dict[str, list[np.ndarray[Any, np.dtype[np.float64]]]] = {metric.name: [] for metric in EMBEDDED}
    for table in parts.tables():
        for column, found in columns.items():
            found.append(numbers(table[column]))
    for metric in EMBEDDED:
        values = np.concatenate([*columns[metric.name], np.zeros(0)])
        if np.isfinite(values).any():
            e, told = mean_interval(values, range=(metric.low, metric.high)), (metric.unit, metric.better, "")
            yield Result("watermark", name, metric.name, e.value, e.low, e.high, e.method, e.n, *told)


EMBED = EmbedTask()
TASKS.add(EMBED.name, EMBED)
