"""The task `score`: an image set against a reference and for its prompts, under one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from evalkit.arrow import numbers
from evalkit.device import pick_device
from evalkit.encoders.kept_features import KeptFeatures
from evalkit.encoders.prompt_scorer import load_prompt_scorer
from evalkit.encoders.set_encoder import SPECTRUM, SetEncoder
from evalkit.freed import give_back
from evalkit.jobs.checks import Checks
from evalkit.jobs.data import sources_of
from evalkit.jobs.options import batch_of
from evalkit.jobs.shard import Shard, Sources, split
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task
from evalkit.metrics.frechet_interval import contributions
from evalkit.metrics.registry import METRICS
from evalkit.metrics.sets.composition import HEADS, Side
from evalkit.metrics.sets.names import set_metrics
from evalkit.metrics.statistics_file import read_statistics
from evalkit.runs.shards import Parts
from evalkit.runs.store import Run
from evalkit.tasks.score.checks import ScoreChecks
from evalkit.tasks.score.exhibits import entries_of
from evalkit.tasks.score.features import Collected, KeptParts, collected, files_of, sides_of
from evalkit.tasks.score.figures import figures_file, first_distance, places, projection
from evalkit.tasks.score.inputs import Asked, asked_of, opened_images
from evalkit.tasks.score.page import page
from evalkit.tasks.score.results import results_of, warnings_of
from evalkit.tasks.score.rows import CONTRIBUTION, IMAGES, MAP, REFERENCE, schema
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
                name: load_prompt_scorer(name, weights_path(spec, (METRICS.get(name).needs or ("",))[-1]), device)
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

    def sources(self, spec: Spec) -> Sources | None:
        """The images of both sides."""
        roles = {ROLES[side]: n for side, n in counts(spec).items()}
        return sources_of(*((role, opened_images(spec.inputs[role]), n) for role, n in roles.items()))

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """Results with intervals, contributions of images, features or moments; features lie on disk meanwhile."""
        rows = pa.concat_tables(
            [schema().empty_table(), *parts.tables()], promote_options="default"
        )  # older ones have fewer
        found, protocol = collected(parts), protocol_of(spec)
        give_back()  # what the networks left, before matrices are made
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
        rows, drawn = _drawn(spec, rows, images, other, found)
        return Aggregated([rows], results, {**files_of(found), **drawn}, said)

    def exhibits(self, spec: Spec, samples: pa.Table) -> Sequence[Shard]:
        """Images that add most to the distance, those that hold the set nearest to the reference, and some of the map."""
        most = int(spec.parameters["shown"])
        entries = entries_of(samples, most) if most else []
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


def _drawn(
    spec: Spec, rows: pa.Table, images: Side, other: Side, found: Collected
) -> tuple[pa.Table, dict[str, bytes]]:
    """The rows with contributions and places on the map, and the files that the page draws from."""
    first = first_distance(spec.metrics, images, other)
    axes = None
    if first is not None:
        metric, features, gaussian = first
        give_back()  # what the sums behind it left
        rows = _with(rows, IMAGES, (CONTRIBUTION,), contributions(features, gaussian)[:, None])
        axes = projection(gaussian)
        for side, each in ((IMAGES, features), (REFERENCE, other.rows.get(HEADS[metric]))):
            if axes is not None and each is not None and side in found.banks and len(each):
                rows = _with(rows, side, MAP, places(each, *axes))
    spectra = {side: banks[SPECTRUM] for side, banks in found.banks.items() if SPECTRUM in banks}
    return rows, figures_file(spec.metrics, images, other, spectra, axes)


def _with(rows: pa.Table, side: str, columns: Sequence[str], values: np.ndarray[Any, Any]) -> pa.Table:
    """The rows with `values` [n, columns] of the good images of one side, where there are as many."""
    good = pc.and_(pc.equal(rows["side"], side), pc.is_null(rows["error"])).to_numpy()
    if int(good.sum()) != len(values):
        return rows
    for name, mine in zip(columns, values.T, strict=True):
        place = rows.schema.get_field_index(name)
        whole = numbers(rows[name])
        whole[good] = mine
        rows = rows.set_column(place, name, pa.array(whole, pa.float64(), mask=np.isnan(whole)))
    return rows


SCORE = ScoreTask()
TASKS.add(SCORE.name, SCORE)
