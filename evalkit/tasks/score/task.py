"""The task `score`: an image set against a reference and for its prompts, under one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from evalkit.device import pick_device
from evalkit.encoders.kept_features import KeptFeatures
from evalkit.encoders.prompt_scorer import load_prompt_scorer
from evalkit.encoders.set_encoder import SetEncoder
from evalkit.jobs.checks import Checks
from evalkit.jobs.options import batch_of
from evalkit.jobs.shard import Shard, split
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task
from evalkit.metrics.registry import METRICS
from evalkit.metrics.sets.names import set_metrics
from evalkit.metrics.statistics_file import read_statistics
from evalkit.runs.shards import Parts
from evalkit.runs.store import Run
from evalkit.tasks.score.checks import ScoreChecks
from evalkit.tasks.score.features import KeptParts, collected, files_of, sides_of
from evalkit.tasks.score.inputs import Asked, asked_of, opened_images
from evalkit.tasks.score.page import page
from evalkit.tasks.score.results import contributions_of, results_of, warnings_of
from evalkit.tasks.score.rows import CONTRIBUTION, IMAGES, schema
from evalkit.tasks.score.said import RECALLED, ROLES, counts, is_file, recalled, sets_said
from evalkit.tasks.score.spec import NAME, protocol_of, weights_path
from evalkit.tasks.score.worker import ScoreWorker

BATCH = 32  # images of a forward pass on an accelerator


class ScoreTask(Task):
    """One image set under one protocol."""

    name = NAME

    def size(self, spec: Spec) -> int:
        """Images of both sets."""
        return sum(counts(spec).values())

    def title(self, spec: Spec) -> str:
        """Whose images are scored."""
        return str(spec.parameters["model"])

    def schema(self, spec: Spec) -> pa.Schema:
        """One row for each image of both sets."""
        return schema()

    def shards(self, spec: Spec) -> Sequence[Shard]:
        """Those of the images, of the reference's images, and one without images for a file of statistics."""
        found: list[Shard] = []
        offset = 0
        for side, n in counts(spec).items():
            found += [Shard(f"{side}-{s.key}", s.start + offset, s.stop + offset) for s in split(n, spec.shard)]
            offset += n
        return [*found, Shard("statistics", offset, offset)] if is_file(spec) else found

    def open(self, spec: Spec, device: str) -> ScoreWorker:
        """The networks whose weights are here, and both sets; raises where one is not what was planned."""
        protocol, here = protocol_of(spec), spec.here
        sets = {side: opened_images(spec.inputs[role]) for side, role in ROLES.items() if counts(spec).get(side)}
        heads = spec.parameters["heads"]
        weights = {name: ref.weights for name, ref in spec.models.items() if ref.weights is not None}
        encoder = SetEncoder(heads, protocol, device=device, weights=weights)
        here_on = pick_device(device).type
        on_cpu = here_on == "cpu"  # where sums depend on the batch and on threads, and one image each is faster
        kept = KeptFeatures.of_user(encoder.identities(), here_on) if here.get("cache") else None
        prompts = spec.inputs.get("prompts")
        ids = sets[IMAGES].ids()[: spec.inputs["data"].n]
        reference = spec.inputs.get("reference")
        return ScoreWorker(
            sets,
            counts(spec),
            encoder,
            {
                name: load_prompt_scorer(name, weights_path(spec, METRICS.get(name).needs[-1]), device)
                for name in spec.metrics
                if name not in set_metrics(spec.metrics)
                and all(need in spec.models for need in METRICS.get(name).needs)
            },
            Asked() if prompts is None else asked_of(ids, prompts.source),
            batch_size=1 if on_cpu else batch_of(here.get("batch_size", "auto"), BATCH),
            threads=int(here.get("threads", 2)),
            facts={"unavailable": dict(here.get("unavailable", {}))},
            file=read_statistics(str(reference.source)) if reference is not None and is_file(spec) else None,
            lanes=torch.get_num_threads() if on_cpu else 1,
            kept=kept,
        )

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """Results with intervals, contributions of images, features or moments; features lie on disk meanwhile."""
        rows = pa.concat_tables([schema().empty_table(), *parts.tables()])
        found, protocol = collected(parts), protocol_of(spec)
        missing = next(iter(parts.facts()), {}).get("unavailable", {})
        reference = spec.inputs.get("reference")
        images, other = sides_of(found, "" if reference is None else reference.name, _labels(rows))
        results = list(results_of(spec, rows, images, other, protocol, missing))
        said = {
            "model": {"name": spec.parameters["model"]},
            **sets_said(spec, rows),
            "protocols": [{"id": protocol.id, "title": protocol.title, "sha256": protocol.sha256}],
            "encoders": {name: ref.sha256 for name, ref in spec.models.items()},
            "unavailable": dict(missing),
            "warnings": warnings_of(results),
            "statistics": "features" if found.few else "moments",
            RECALLED: recalled(parts.facts()),
        }
        shares = contributions_of(spec.metrics, images, other)
        return Aggregated([_with(rows, shares)], results, files_of(found), said)

    def exhibits(self, spec: Spec, samples: pa.Table) -> Sequence[Shard]:
        """Images that add most to the distance, and those that hold the set nearest to the reference."""
        most = int(spec.parameters["shown"])
        mine = samples.filter(pc.equal(samples["side"], IMAGES))
        values = mine[CONTRIBUTION].to_numpy(zero_copy_only=False).astype(np.float64)
        known = np.flatnonzero(~np.isnan(values))
        order = known[np.argsort(-values[known], kind="stable")]
        chosen = {
            "farthest": order[: min(most, (len(order) + 1) // 2)],
            "nearest": order[::-1][: min(most, len(order) // 2)],
        }
        entries = [
            {
                "which": which,
                "position": int(at),
                "id": mine["id"][int(at)].as_py(),
                CONTRIBUTION: float(values[at]),
                "file": f"images/{which}-{rank:02d}.png",
            }
            for which, places in chosen.items()
            for rank, at in enumerate(places)
        ]
        return [Shard("shown", 0, len(entries), {"entries": entries})] if entries else ()

    def page(self, run: Run) -> str:
        """Values with intervals, and the images that moved them."""
        return page(run)

    def checks(self) -> Checks:
        """Results from rows and kept features."""
        return ScoreChecks(self)

    def parts(self, run: Run) -> Parts:
        """Rows and kept features."""
        return KeptParts(run)


def _labels(rows: pa.Table) -> dict[str, list[str]]:
    """The classes of each side's good images, where all of them have one."""
    good = rows.filter(pc.is_null(rows["error"])).select(["side", "label"])
    found = {}
    for side in ROLES:
        labels = good.filter(pc.equal(good["side"], side))["label"]
        if len(labels) and not labels.null_count:
            found[side] = labels.to_pylist()
    return found


def _with(rows: pa.Table, shares: np.ndarray[Any, Any] | None) -> pa.Table:
    """The rows with the contributions of good images of the set."""
    if shares is None:
        return rows
    good = pc.and_(pc.equal(rows["side"], IMAGES), pc.is_null(rows["error"])).to_numpy()
    values = np.full(rows.num_rows, np.nan)
    values[good] = shares
    column = pa.array(values, pa.float64(), mask=~good)
    return rows.set_column(rows.schema.get_field_index(CONTRIBUTION), CONTRIBUTION, column)


SCORE = ScoreTask()
TASKS.add(SCORE.name, SCORE)
