"""The task `captions`: captions of one image set beside those that people wrote."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.images import content_digest
from evalkit.jobs.checks import Checks
from evalkit.jobs.data import sources_of
from evalkit.jobs.row_checks import RowChecks
from evalkit.jobs.shard import Sources
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task
from evalkit.jsonio import canonical_json
from evalkit.metrics.base import Estimate
from evalkit.metrics.bleu import COLUMNS, bleu_interval
from evalkit.metrics.captions import BLEU, CIDER, METEOR, TASK
from evalkit.metrics.generation import IMAGES_FAILED
from evalkit.metrics.meteor import ABSENT
from evalkit.metrics.metric import Metric
from evalkit.metrics.registry import METRICS
from evalkit.pages.short import values_page
from evalkit.runs.shards import Parts
from evalkit.runs.store import Result, Run
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.captions.read import planned_captions
from evalkit.tasks.captions.rows import REFERENCES, SCHEMA
from evalkit.tasks.captions.worker import CaptionWorker
from evalkit.tasks.score.inputs import opened_images

VERSION, SHARD = 1, 256
SAID = (
    "Captions are compared with what people wrote, word by word. A true caption in other words scores low. "
    "Captions that are missing are not in the values: they are counted as failed."
)
ALONE = "n-grams are rare or common among the references of at least two images, and there is one"


class CaptionTask(Task):
    """One file of captions of one image set."""

    name = TASK

    def size(self, spec: Spec) -> int:
        """Images."""
        return spec.inputs["data"].n

    def title(self, spec: Spec) -> str:
        """Whose captions are compared."""
        return spec.inputs["captions"].name

    def schema(self, spec: Spec) -> pa.Schema:
        """One row for each image."""
        return SCHEMA

    def open(self, spec: Spec, device: str) -> CaptionWorker:
        """Captions and references; raises where a file or an image is not what was planned."""
        captions, references = (planned_captions(spec.inputs[role]) for role in ("captions", "references"))
        threads = int(spec.here.get("threads", 2))
        return CaptionWorker(opened_images(spec.inputs["data"]), self.size(spec), captions, references, threads=threads)

    def sources(self, spec: Spec) -> Sources | None:
        """The images."""
        return sources_of(("data", opened_images(spec.inputs["data"]), self.size(spec)))

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """The corpus BLEU and the means of the others, with intervals over images."""
        rows = pa.concat_tables([SCHEMA.empty_table(), *parts.tables()], promote_options="default")
        good = rows.filter(pc.is_null(rows["error"]))
        name, corpus = spec.inputs["data"].name, int(pc.sum(pc.greater(rows[REFERENCES], 0)).as_py() or 0)
        results = [_result(name, METRICS.get(metric), good, corpus) for metric in spec.metrics]
        failed = float(rows.num_rows - good.num_rows)
        told = (IMAGES_FAILED.unit, IMAGES_FAILED.better, "")
        results.append(Result(TASK, name, IMAGES_FAILED.name, failed, None, None, "count", rows.num_rows, *told))
        return Aggregated([rows], results, {}, _said(spec, rows))

    def page(self, run: Run) -> str:
        """Values with intervals."""
        return values_page(run, "captions", SAID)

    def checks(self) -> Checks:
        """Results again from the rows."""
        return RowChecks(self)


def _result(name: str, metric: Metric, good: pa.Table, corpus: int) -> Result:
    told = (metric.unit, metric.better, "")
    if lost := _lost(metric, good, corpus):
        return Result(TASK, name, metric.name, None, None, None, "", 0, *told, "unavailable", lost)
    found = _estimate(metric, good)
    return Result(TASK, name, metric.name, found.value, found.low, found.high, found.method, found.n, *told)


def _lost(metric: Metric, good: pa.Table, corpus: int) -> str:
    """Why a metric has no value here; empty where it has one."""
    if not good.num_rows:
        return "no image has a caption and a reference"
    if metric is CIDER and corpus < 2:
        return ALONE
    return ABSENT if metric is METEOR and good[metric.name].null_count else ""


def _estimate(metric: Metric, good: pa.Table) -> Estimate:
    if metric is BLEU:
        return bleu_interval(np.stack([good[column].to_numpy(zero_copy_only=False) for column in COLUMNS], 1))
    values = good[metric.name].to_numpy(zero_copy_only=False)
    return mean_interval(values, method="mean", range=(metric.low, metric.high))


def _corpus(digest: str, rows: pa.Table) -> str:
    """sha256 of what a caption is measured by: the references, and the images whose references say what is rare."""
    ids = rows.filter(pc.greater(rows[REFERENCES], 0))["id"].to_pylist()
    return hashlib.sha256(canonical_json([digest, sorted(ids)])).hexdigest()


def _said(spec: Spec, rows: pa.Table) -> dict[str, Any]:
    data, captions, references = (spec.inputs[role] for role in ("data", "captions", "references"))
    return {
        "model": {"name": captions.name},
        "data": {
            "name": data.name,
            "n": data.n,
            "digest": content_digest(zip(rows["id"].to_pylist(), rows["sha256"].to_pylist(), strict=True)),
            "unreadable": rows["height"].null_count,
            **spec.here.get("data", {}),
        },
        "conditions": {"name": references.name, "n": references.n, "digest": references.digest},
        "encoders": {f"{TASK}:references": _corpus(references.digest, rows)},
        "captions": {"n": captions.n, "sha256": captions.digest},
        "warnings": [],
    }


CAPTIONING = CaptionTask()
TASKS.add(CAPTIONING.name, CAPTIONING)
