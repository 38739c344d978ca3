"""The task `paired`: images beside those of a baseline, at equal prompts and seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evalkit.device import pick_device
from evalkit.encoders.base import FeatureExtractor, PerceptualDistance
from evalkit.encoders.registry import load_extractor, load_lpips
from evalkit.errors import EvalkitError
from evalkit.images import content_digest
from evalkit.jobs.checks import Checks
from evalkit.jobs.row_checks import RowChecks
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task
from evalkit.metrics.generation import IMAGES_FAILED
from evalkit.metrics.paired import LPIPS, SUBJECT, TASK
from evalkit.pages.short import values_page
from evalkit.runs.shards import Parts
from evalkit.runs.store import Result, Run
from evalkit.tasks.paired.results import remarks, results_of
from evalkit.tasks.paired.rows import SCHEMA
from evalkit.tasks.paired.sides import side_of
from evalkit.tasks.paired.worker import Networks, PairedWorker, Side
from evalkit.tasks.score.inputs import opened_images
from evalkit.weights.reading import file_sha256

VERSION, SHARD = 1, 128
ROLES = ("data", "reference")


class PairedTask(Task):
    """One image set beside another one."""

    name = TASK

    def size(self, spec: Spec) -> int:
        """Images of the run."""
        return spec.inputs["data"].n

    def title(self, spec: Spec) -> str:
        """Whose images are compared."""
        return str(spec.parameters["model"]["name"])

    def schema(self, spec: Spec) -> pa.Schema:
        """One row for each image of the run."""
        return SCHEMA

    def open(self, spec: Spec, device: str) -> PairedWorker:
        """Both sets, and the LPIPS networks whose weights are here; raises where one is not what was planned."""
        place = str(pick_device(device))
        mine, baseline = (_side(spec, role) for role in ROLES)
        threads = int(spec.here.get("threads", 2))
        networks = Networks(_lpips(spec, place), _extractors(spec, place), frozenset(spec.metrics))
        return PairedWorker(mine, baseline, networks, threads=threads, device=place)

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """Fidelity with intervals over prompts, and the gains."""
        rows = pa.concat_tables([SCHEMA.empty_table(), *parts.tables()])
        good = rows.filter(pc.is_null(rows["error"]))
        labels = (spec.inputs["data"].name, spec.inputs["reference"].name)
        costs, missing = spec.parameters["costs"], spec.parameters["missing"]
        results = list(results_of(spec.metrics, good, costs, labels, missing))
        failed = float(rows.num_rows - good.num_rows)
        told = (IMAGES_FAILED.unit, IMAGES_FAILED.better, "")
        results.append(Result(TASK, labels[1], IMAGES_FAILED.name, failed, None, None, "count", rows.num_rows, *told))
        return Aggregated([rows], results, {}, _said(spec, rows))

    def page(self, run: Run) -> str:
        """Values with intervals."""
        said = (
            "Images are compared at equal prompts and seeds. Another sampler may draw other images from the same seeds, "
            "so a low fidelity says that images differ, not that they are worse."
        )
        return values_page(run, "beside a baseline", said)

    def checks(self) -> Checks:
        """Results again from the rows."""
        return RowChecks(self)


def _side(spec: Spec, role: str) -> Side:
    ref = spec.inputs[role]
    images = opened_images(ref)
    return Side(images, side_of(images, str(ref.source), ref.n))


def _lpips(spec: Spec, device: str) -> dict[str, PerceptualDistance]:
    """The networks of the plan by net."""
    found: dict[str, PerceptualDistance] = {}
    for net, metric in LPIPS.items():
        if (ref := spec.models.get(metric.needs[0])) is None:
            continue
        found[net] = load_lpips(net, ref.weights, device)
        if found[net].weights_sha256 != ref.sha256:
            raise EvalkitError(f"the weights of LPIPS ({net}) are not those of the plan. Put its file in their place")
    return found


def _extractors(spec: Spec, device: str) -> dict[str, FeatureExtractor]:
    """The networks of subject fidelity of the plan, by name."""
    found: dict[str, FeatureExtractor] = {}
    for name in SUBJECT:
        if (ref := spec.models.get(name)) is not None:
            found[name] = load_extractor(name, ref.weights, device)
            if ref.sha256 is not None and file_sha256(Path(str(ref.weights))) != ref.sha256:
                raise EvalkitError(f"the weights of {name} are not those of the plan. Put its file in their place")
    return found


def _said(spec: Spec, rows: pa.Table) -> dict[str, Any]:
    said: dict[str, Any] = {
        "model": dict(spec.parameters["model"]),
        "encoders": {name: ref.sha256 for name, ref in spec.models.items()},
        "unavailable": dict(spec.parameters["missing"]),
        "costs": dict(spec.parameters["costs"]),
        "warnings": remarks(spec.parameters["costs"]),
    }
    digest = content_digest(zip(rows["id"].to_pylist(), rows["sha256"].to_pylist(), strict=True))
    for role, own in zip(ROLES, (digest, spec.inputs["reference"].digest), strict=True):
        ref = spec.inputs[role]
        said[role] = {"name": ref.name, "n": ref.n, "digest": own, **spec.here.get(role, {})}
    said["data"]["unreadable"] = rows["height"].null_count
    return said


PAIRED = PairedTask()
TASKS.add(PAIRED.name, PAIRED)
