"""The task `views`: neighbouring views of paths of cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evalkit.errors import EvalkitError
from evalkit.images import content_digest
from evalkit.jobs.checks import Checks
from evalkit.jobs.row_checks import RowChecks
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task
from evalkit.metrics.generation import IMAGES_FAILED
from evalkit.metrics.tsed import TASK, TSED
from evalkit.pages.short import values_page
from evalkit.runs.shards import Parts
from evalkit.runs.store import Result, Run
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.score.inputs import opened_images
from evalkit.tasks.views.cameras import read_cameras
from evalkit.tasks.views.rows import SCHEMA
from evalkit.tasks.views.worker import ViewWorker
from evalkit.weights.reading import file_sha256

VERSION, SHARD = 1, 64
SAID = (
    "A pair of neighbouring views is consistent where matched points lie near the lines that the cameras tell. "
    "It says nothing of how good a view looks, and its pixels are those of the images as they are."
)


class ViewTask(Task):
    """One set of views and its file of cameras."""

    name = TASK

    def size(self, spec: Spec) -> int:
        """Views."""
        return spec.inputs["data"].n

    def title(self, spec: Spec) -> str:
        """Whose views they are."""
        return str(spec.parameters["model"])

    def schema(self, spec: Spec) -> pa.Schema:
        """One row for each view."""
        return SCHEMA

    def open(self, spec: Spec, device: str) -> ViewWorker:
        """Views and cameras; raises where they are not those of the plan."""
        path = Path(str(spec.inputs["cameras"].source))
        if not path.is_file() or file_sha256(path) != spec.inputs["cameras"].digest:
            raise EvalkitError(f"the cameras {path} are not those of the plan. Give a fresh --out")
        images, threads = opened_images(spec.inputs["data"]), int(spec.here.get("threads", 2))
        return ViewWorker(images, self.size(spec), read_cameras(path), threads=threads)

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """The share of consistent pairs, with an interval over sequences where there are several."""
        rows = pa.concat_tables([SCHEMA.empty_table(), *parts.tables()])
        good = rows.filter(pc.and_(pc.is_null(rows["error"]), pc.is_valid(rows["next"])))
        failed = float(len(rows) - rows["error"].null_count)
        name = spec.inputs["data"].name
        told = (IMAGES_FAILED.unit, IMAGES_FAILED.better, "")
        lost = Result(TASK, name, IMAGES_FAILED.name, failed, None, None, "count", rows.num_rows, *told)
        return Aggregated([rows], [_result(name, good), lost], {}, _said(spec, rows))

    def page(self, run: Run) -> str:
        """Values with intervals."""
        return values_page(run, "consistency of views", SAID)

    def checks(self) -> Checks:
        """Results again from the rows."""
        return RowChecks(self)


def _result(name: str, good: pa.Table) -> Result:
    told = (TSED.unit, TSED.better, "")
    if not good.num_rows:
        lost = "no two views follow each other with cameras apart"
        return Result(TASK, name, TSED.name, None, None, None, "", 0, *told, "unavailable", lost)
    sequences = good["cluster"].to_pylist()
    clusters = sequences if 1 < len(set(sequences)) < len(sequences) else None
    found = mean_interval(good[TSED.name].to_numpy(zero_copy_only=False), clusters=clusters)
    return Result(TASK, name, TSED.name, found.value, found.low, found.high, found.method, found.n, *told)


def _said(spec: Spec, rows: pa.Table) -> dict[str, Any]:
    data, cameras = spec.inputs["data"], spec.inputs["cameras"]
    return {
        "model": {"name": spec.parameters["model"]},
        "data": {
            "name": data.name,
            "n": data.n,
            "digest": content_digest(zip(rows["id"].to_pylist(), rows["sha256"].to_pylist(), strict=True)),
            "unreadable": rows["height"].null_count,
            **spec.here.get("data", {}),
        },
        "reference": {"name": cameras.name, "n": cameras.n, "digest": cameras.digest},
        "warnings": [],
    }


VIEWS = ViewTask()
TASKS.add(VIEWS.name, VIEWS)
