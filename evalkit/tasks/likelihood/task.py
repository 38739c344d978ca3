"""The task `likelihood`: what a generator's codes of images cost under the generator itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evalkit.arrow import numbers
from evalkit.errors import EvalkitError
from evalkit.generators.likelihood import FIT, ImageLikelihood, check_likelihood
from evalkit.images import content_digest
from evalkit.jobs.checks import Checks
from evalkit.jobs.data import sources_of
from evalkit.jobs.row_checks import RowChecks
from evalkit.jobs.shard import Sources
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task
from evalkit.metrics.generation import IMAGES_FAILED
from evalkit.metrics.likelihood import TASK
from evalkit.metrics.metric import Metric
from evalkit.metrics.registry import METRICS
from evalkit.pages.short import values_page
from evalkit.runs.shards import Parts
from evalkit.runs.store import Result, Run
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.clusters import prompts_of
from evalkit.tasks.generate.spec import loaded
from evalkit.tasks.likelihood.curve import CURVE, curve_chart, curve_of, npz_of
from evalkit.tasks.likelihood.reported import ReportedWorker, read_reported
from evalkit.tasks.likelihood.rows import SCHEMA
from evalkit.tasks.likelihood.worker import LikelihoodWorker
from evalkit.tasks.score.inputs import Asked, asked_of, opened_images
from evalkit.weights.reading import file_sha256

VERSION, SHARD = 1, 64
REPORTED = "reported"  # the input of log-likelihoods that somebody states
STATED = "The log-likelihoods are those that the model's own program states; nothing here can check them."


class LikelihoodTask(Task):
    """One image set under one generator of codes."""

    name = TASK

    def size(self, spec: Spec) -> int:
        """Images."""
        return spec.inputs["data"].n

    def schema(self, spec: Spec) -> pa.Schema:
        """One row for each image."""
        return SCHEMA

    def open(self, spec: Spec, device: str) -> LikelihoodWorker | ReportedWorker:
        """The generator and its tokenizer, loaded; raises where weights, images or prompts are not those of the plan."""
        images, prompts = opened_images(spec.inputs["data"]), spec.inputs.get("prompts")
        threads = int(spec.here.get("threads", 2))
        if REPORTED in spec.inputs:
            return ReportedWorker(images, _reported(spec), threads=threads)
        ids = images.ids()[: self.size(spec)]
        generator = check_likelihood(loaded(spec.models["model"], device, spec.here.get("tokenizer_weights")))
        asked = Asked() if prompts is None else asked_of(ids, prompts.source)
        return LikelihoodWorker(images, ImageLikelihood(generator), asked, threads=threads)

    def sources(self, spec: Spec) -> Sources | None:
        """The images."""
        return sources_of(("data", opened_images(spec.inputs["data"]), self.size(spec)))

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """Means over images with intervals, and the mean cost of each place of the code."""
        rows = pa.concat_tables([SCHEMA.empty_table(), *parts.tables()])
        good = rows.filter(pc.is_null(rows["error"]))
        results = [_result(spec, METRICS.get(name), good) for name in spec.metrics]
        failed = float(rows.num_rows - good.num_rows)
        told = (IMAGES_FAILED.unit, IMAGES_FAILED.better, "")
        name = spec.inputs["data"].name
        results.append(Result(TASK, name, IMAGES_FAILED.name, failed, None, None, "count", rows.num_rows, *told))
        side = next(iter(parts.facts()), {}).get("likelihood", {}).get("side")
        curve = curve_of(parts)
        files = {f"statistics/{CURVE}.npz": npz_of(curve)} if curve else {}
        return Aggregated([rows], results, files, _said(spec, rows, side))

    def page(self, run: Run) -> str:
        """Values with intervals, and what each place of the code costs."""
        if "likelihood" not in run.record:
            return values_page(run, "likelihood of pixels", STATED)
        side = run.record["likelihood"]["side"]
        said = (
            f"Every image was coded at {side} px by {run.record['model']['tokenizer']}. The numbers are of the codes: "
            "what the tokenizer loses costs nothing, so they are no likelihood of pixels."
        )
        return values_page(run, "likelihood of codes", said, [curve_chart(run)])

    def checks(self) -> Checks:
        """Results again from the rows."""
        return RowChecks(self)


def _reported(spec: Spec) -> dict[str, float]:
    ref = spec.inputs[REPORTED]
    path = Path(str(ref.source))
    if not path.is_file() or file_sha256(path) != ref.digest:
        raise EvalkitError(f"the log-likelihoods {path} are not those of the plan. Give a fresh --out")
    return read_reported(path)


def _result(spec: Spec, metric: Metric, good: pa.Table) -> Result:
    values = numbers(good[metric.name])
    name = spec.inputs["data"].name
    told = (metric.unit, metric.better, "")
    if not len(values):
        return Result(
            TASK, name, metric.name, None, None, None, "", 0, *told, "unavailable", "no image has a likelihood"
        )
    found = mean_interval(values, clusters=prompts_of(good), method="mean", range=(metric.low, metric.high))
    return Result(TASK, name, metric.name, found.value, found.low, found.high, found.method, found.n, *told)


def _said(spec: Spec, rows: pa.Table, side: int | None) -> dict[str, Any]:
    data, prompts = spec.inputs["data"], spec.inputs.get("prompts")
    said: dict[str, Any] = {
        "data": {
            "name": data.name,
            "n": data.n,
            "digest": content_digest(zip(rows["id"].to_pylist(), rows["sha256"].to_pylist(), strict=True)),
            "unreadable": rows["height"].null_count,
            **spec.here.get("data", {}),
        },
        "warnings": [],
    }
    if REPORTED in spec.inputs:
        file = spec.inputs[REPORTED]
        return {"model": {"name": file.name}, **said, "reported": {"n": file.n, "sha256": file.digest}}
    model, tokenizer = spec.models["model"], spec.models["tokenizer"]
    said |= {
        "model": {
            "name": model.name,
            "weights_sha256": model.sha256,
            "tokenizer": tokenizer.name,
            "dtype": model.dtype,
        },
        "encoders": {f"{TASK}:{tokenizer.name}": tokenizer.sha256},
        "likelihood": {"side": side, "fit": FIT, "guidance": None},
    }
    if prompts is not None:
        said["conditions"] = {"name": prompts.name, "n": prompts.n, "digest": prompts.digest}
    return said


LIKELIHOOD = LikelihoodTask()
TASKS.add(LIKELIHOOD.name, LIKELIHOOD)
