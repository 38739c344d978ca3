"""The task `decoder-train`: a probe that tells two kinds of decoders apart, with its accuracy on held-out generators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.images import content_digest
from evalkit.jobs.checks import Checks
from evalkit.jobs.shard import Shard
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task
from evalkit.metrics.base import Estimate
from evalkit.metrics.decoder import ACCURACY, OUTSIDE
from evalkit.metrics.metric import Metric
from evalkit.runs.shards import Parts
from evalkit.runs.store import Result, Run
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.probe.checks import ProbeChecks
from evalkit.tasks.probe.decoder.classifier import HeldOut, train
from evalkit.tasks.probe.decoder.equal import Equaliser
from evalkit.tasks.probe.decoder.looking import ROWS, DecoderWorker, Looked, kept_parts, looked, opened, shards_of
from evalkit.tasks.probe.decoder.page import page
from evalkit.tasks.probe.decoder.probe import FILE, DecoderProbe, held_out_accuracy, named_right, probe_bytes

ROLES = ("first", "second")


class DecoderTrainTask(Task):
    """Two folders of images, one for each kind."""

    name = ACCURACY.task

    def size(self, spec: Spec) -> int:
        """Images of both kinds."""
        return sum(spec.inputs[role].n for role in ROLES)

    def schema(self, spec: Spec) -> pa.Schema:
        """A row for each image; predictions follow."""
        return ROWS

    def shards(self, spec: Spec) -> Sequence[Shard]:
        """Those of the first kind, then those of the second."""
        return shards_of(spec, ROLES)

    def open(self, spec: Spec, device: str) -> DecoderWorker:
        """Both sets of images and what looks at them."""
        names = dict(zip(ROLES, spec.parameters["names"], strict=True))
        return opened(spec, names, Equaliser(**spec.parameters["equaliser"]), spec.models["model"], device)

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """The trained probe, and what it says of images that it was not trained on."""
        seen = looked(parts)
        names, good = list(spec.parameters["names"]), seen.good
        labels = np.array([names.index(each) for each in good["task"].to_pylist()], np.int64)
        generators = good["generator"].to_pylist()
        if min(np.bincount(labels, minlength=2)) == 0:
            raise EvalkitError("a class has no image that can be read. Give images of both kinds of decoder")
        classifier, held = train(seen.features, labels, generators, spec.seed)
        accuracy = held_out_accuracy(held, labels, generators)
        sides = np.minimum(good["height"].to_numpy(), good["width"].to_numpy())
        by_class = [labels == each for each in (0, 1)]
        made = DecoderProbe(
            names=(names[0], names[1]),
            features=spec.models["model"].name,
            equaliser=Equaliser(**spec.parameters["equaliser"]),
            classifier=classifier,
            accuracy=accuracy,
            apart=held.by_generator,
            outside=float(held.outside.mean()),
            sizes=tuple((int(sides[mine].min()), int(sides[mine].max())) for mine in by_class),  # type: ignore[arg-type]
            images=(int(by_class[0].sum()), int(by_class[1].sum())),
            spectra=np.stack([seen.spectra[mine].mean(0) for mine in by_class]),
            traces=np.stack([seen.traces[mine].mean(0) for mine in by_class]),
        )
        outside = mean_interval(held.outside.astype(float))
        results = [_result(spec, ACCURACY, accuracy), _result(spec, OUTSIDE, outside)]
        files = {FILE: probe_bytes(made), **seen.files}
        return Aggregated([_table(seen, held, labels)], results, files, _facts(spec, made, seen))

    def page(self, run: Run) -> str:
        """How well kinds are told apart, by generator, and their fingerprints."""
        return page(run)

    def parts(self, run: Run) -> Parts:
        """Rows and features."""
        return kept_parts(run)

    def checks(self) -> Checks:
        """The probe trained again on the features."""
        return ProbeChecks(self, "the training on what was kept")


def _table(seen: Looked, held: HeldOut, labels: np.ndarray[Any, Any]) -> pa.Table:
    """Rows with predictions; `cluster` is the generator where whole generators were held out."""
    good = seen.good["generator"].to_pylist()
    added = {
        "probability": (held.probability.tolist(), pa.float64()),
        "cluster": (good if held.by_generator else [None] * len(good), pa.string()),
        ACCURACY.name: (named_right(held, labels).tolist(), pa.float64()),
        OUTSIDE.name: (held.outside.astype(float).tolist(), pa.float64()),
    }
    table = seen.rows
    for name, (values, kind) in added.items():
        table = table.append_column(name, seen.column(values, kind))
    return table


def _result(spec: Spec, metric: Metric, e: Estimate) -> Result:
    name, protocol = " and ".join(spec.parameters["names"]), spec.protocols[0].id
    ends = (e.value, e.low, e.high, e.method, e.n)
    return Result(ACCURACY.task, name, metric.name, *ends, metric.unit, metric.better, protocol)


def _facts(spec: Spec, made: DecoderProbe, seen: Looked) -> dict[str, Any]:
    model, name = spec.models["model"], " and ".join(made.names)
    read = list(zip(seen.rows["id"].to_pylist(), seen.rows["sha256"].to_pylist(), strict=True))
    return {
        "model": {"name": model.name, "title": f"{model.name} features", "weights_sha256": model.sha256},
        "data": {"spec": None, "name": name, "n": len(read), "digest": content_digest(read)},
        "protocols": [{"id": each.id, "sha256": each.sha256} for each in spec.protocols],
        "decoder": {"said": [made.sentence], "cautions": made.cautions, "names": list(made.names)},
    }


TRAIN = DecoderTrainTask()
TASKS.add(TRAIN.name, TRAIN)
