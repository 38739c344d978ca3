"""The task `watermark-detect`: which images carry a mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import Checks
from evalkit.jobs.data import sources_of
from evalkit.jobs.shard import Shard, Sources
from evalkit.jobs.spec import DataRef, ModelRef, Spec
from evalkit.jobs.task import TASKS, Aggregated, Task
from evalkit.runs.shards import MemoryParts, Parts
from evalkit.runs.store import Run
from evalkit.watermark.decoys.families import decoys_of
from evalkit.watermark.detection.aggregate import aggregate
from evalkit.watermark.detection.calibration import Calibration
from evalkit.watermark.detection.calibration_file import calibration_digest, read_calibration
from evalkit.watermark.detection.checks import DetectionChecks
from evalkit.watermark.detection.columns import method_of
from evalkit.watermark.detection.data import opened_images
from evalkit.watermark.detection.decoy_scores import FILE, NAME, read_scores
from evalkit.watermark.detection.heat import shown
from evalkit.watermark.detection.located import Locator
from evalkit.watermark.detection.page import page
from evalkit.watermark.detection.rows import final_schema, with_numbers
from evalkit.watermark.detection.scan import Scanner
from evalkit.watermark.detection.scan_spec import Opened, opened
from evalkit.watermark.detection.verdict import Rule
from evalkit.watermark.detection.worker import DetectWorker, read_manifests

VERSION = 5  # q of each image since 3, decoy keys and messages since 4, decoys in searches since 5
SHARDS = (256, 2048, 8192)  # images of a shard in small and in large sets, and the size from which sets are large


class DetectTask(Task):
    """A mark looked for in images."""

    name = "watermark-detect"

    def size(self, spec: Spec) -> int:
        """Images."""
        return spec.inputs["data"].n

    def schema(self, spec: Spec) -> pa.Schema:
        """One row for each image."""
        return final_schema()

    def title(self, spec: Spec) -> str:
        """The method, and the set."""
        return f"{method_of(spec.parameters['mark'])} in {spec.inputs['data'].name}"

    def open(self, spec: Spec, device: str) -> DetectWorker:
        """Tokenizer, mark, cache and calibration, each as it was planned."""
        held_here = opened(spec, device)
        try:
            return _worker(spec, held_here)
        except EvalkitError:
            held_here.cache.close()
            raise

    def sources(self, spec: Spec) -> Sources | None:
        """The images."""
        return sources_of(("data", opened_images(spec.inputs["data"])[0], self.size(spec)))

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """Verdicts over all images."""
        return aggregate(spec, parts)

    def exhibits(self, spec: Spec, samples: pa.Table) -> Sequence[Shard]:
        """Heat maps of the images that speak most for a mark."""
        rows = shown(samples, int(spec.parameters["heat_maps"]))
        return [Shard("heat", 0, len(rows), {"rows": rows})] if rows else ()

    def page(self, run: Run) -> str:
        """Summary, quantiles, the most significant images."""
        return page(run)

    def checks(self) -> Checks:
        """p-values from counts, verdicts and results from rows."""
        return DetectionChecks(self)

    def parts(self, run: Run) -> Parts:
        """Rows as shards hold them."""
        asked = self.spec(run).parameters.get("decoys")
        rows = with_numbers(run.samples)
        good = len(rows) - rows["log10_p"].null_count
        kept: dict[str, Any] = {}
        if asked and good:
            keys = int(asked["keys"]) + bool(self.spec(run).parameters["search"])
            kept[NAME] = read_scores((run.path / FILE).read_bytes(), good, keys)
        return MemoryParts(rows, kept, run.record)

    def upgrade(self, run: Run) -> Spec:
        """Plans that were written before format 2."""
        return upgraded(run.record)


def _worker(spec: Spec, held_here: Opened) -> DetectWorker:
    asked, rule, mark = spec.parameters, Rule(**spec.parameters["rule"]), held_here.mark
    if mark is None:
        raise EvalkitError("the plan names no mark to look for. Give the plan of a detection")
    calibration = None
    if asked["calibration"] is not None:
        calibration = opened_calibration(str(spec.here["calibration"]), asked["calibration"])
        calibration.check(held_here.conditions, str(spec.here["calibration"]))
    manifests = None if asked["c2pa"] is None else read_manifests(str(spec.here["anchors"]))
    facts = {
        "model": held_here.model(),
        "mark": mark.as_dict(),
        "views": ["", *(view.name for view in held_here.views)],
        "warnings": [] if calibration is None else calibration.doubts(rule, spec.inputs["data"].n),
    }
    drawn = asked.get("decoys")
    decoys = decoys_of(mark, drawn["keys"], drawn["seed"]) if drawn else None
    scanner = Scanner(held_here.reader, mark, held_here.views, rule.alpha, decoys)
    parts = asked.get("regions")
    locator = Locator(mark, decoys_of(mark, parts["keys"], parts["seed"]), parts["level"]) if parts else None
    return DetectWorker(held_here, scanner, calibration, manifests, facts, locator, asked.get("among"))


def opened_calibration(path: str, sha256: str) -> Calibration:
    """The calibration at `path`; raises `EvalkitError` where it is not the one that was planned with."""
    if calibration_digest(path) != sha256:
        raise EvalkitError(f"{path} has changed since the run was planned. Give a fresh --out")
    return read_calibration(path)


def upgraded(record: Mapping[str, Any]) -> Spec:
    """The spec of a record of format 1, which names the views that were tried."""
    plan, model, data = record["plan"], record["model"], record["data"]
    names = ("mark", "rule", "search", "calibration", "c2pa", "heat_maps", "preparation")
    return Spec(
        DetectTask.name,
        1,
        {"tokenizer": ModelRef(model["name"], model["weights_sha256"], plan["dtype"])},
        {"data": DataRef(data["name"], data["n"], data["digest"])},
        parameters={name: plan[name] for name in names},
        seed=record["seed"],
        shard=plan["shard"],
    )


DETECT = DetectTask()
TASKS.add(DETECT.name, DETECT)
__all__ = ["DETECT", "DetectTask"]
