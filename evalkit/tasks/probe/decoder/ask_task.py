"""The task `decoder`: what a trained probe says of a folder of images, or that it cannot say anything."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from evalkit.errors import EvalkitError
from evalkit.images import content_digest
from evalkit.jobs.checks import Checks
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import TASKS, Aggregated, Task
from evalkit.metrics.base import Estimate
from evalkit.metrics.decoder import OUTSIDE, SHARE
from evalkit.metrics.metric import Metric
from evalkit.runs.shards import Parts
from evalkit.runs.store import Result, Run
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.probe.checks import ProbeChecks
from evalkit.tasks.probe.decoder.looking import ROWS, DecoderWorker, kept_parts, looked, opened
from evalkit.tasks.probe.decoder.page import page
from evalkit.tasks.probe.decoder.probe import FILE, DecoderProbe, probe_bytes, probe_file, read_probe
from evalkit.weights.reading import file_sha256

MOST_OUTSIDE = 0.5  # share of images beyond which there is no answer


class DecoderTask(Task):
    """One folder of images, and a trained probe."""

    name = SHARE.task

    def size(self, spec: Spec) -> int:
        """Images."""
        return spec.inputs["data"].n

    def schema(self, spec: Spec) -> pa.Schema:
        """A row for each image; answers follow."""
        return ROWS

    def open(self, spec: Spec, device: str) -> DecoderWorker:
        """The images and what looks at them."""
        probe = probe_of(spec)
        return opened(spec, {"data": ""}, probe.equaliser, spec.models["features"], device)

    def aggregate(self, spec: Spec, parts: Parts) -> Aggregated:
        """The mean probability over images inside of the training distribution, and the share of the others."""
        seen, probe = looked(parts), probe_of(spec)
        probability, beyond = probe.classifier.probability(seen.features), probe.classifier.outside(seen.features)
        inside = [None if far else float(p) for p, far in zip(probability, beyond, strict=True)]
        table = seen.rows
        added = {"probability": probability.tolist(), SHARE.name: inside, OUTSIDE.name: beyond.astype(float).tolist()}
        for name, values in added.items():
            table = table.append_column(name, seen.column(values, pa.float64()))
        outside = mean_interval(beyond.astype(float))
        share = mean_interval([p for p in inside if p is not None], range=(0.0, 1.0))
        read = list(zip(seen.rows["id"].to_pylist(), seen.rows["sha256"].to_pylist(), strict=True))
        model, data = spec.models["model"], spec.inputs["data"]
        facts = {
            "model": {"name": model.name, "title": model.name, "weights_sha256": model.sha256},
            "data": {"spec": data.source, "name": data.name, "n": len(read), "digest": content_digest(read)},
            "protocols": [{"id": each.id, "sha256": each.sha256} for each in spec.protocols],
            "decoder": {
                "said": [_answer(probe, model.name, share, outside), probe.sentence],
                "cautions": probe.cautions,
                "names": list(probe.names),
                "probe_sha256": spec.models["probe"].sha256,
            },
        }
        results = [_share(spec, probe, share, outside), _result(spec, OUTSIDE, outside)]
        return Aggregated([table], results, {FILE: probe_bytes(probe), **seen.files}, facts)

    def page(self, run: Run) -> str:
        """The answer, and the folder's fingerprints beside those of both kinds."""
        return page(run)

    def parts(self, run: Run) -> Parts:
        """Rows and features."""
        return kept_parts(run)

    def spec(self, run: Run) -> Spec:
        """The spec of a sealed run; its probe lies in the run."""
        found = super().spec(run)
        models = {**found.models, "probe": replace(found.models["probe"], weights=str(run.path / FILE))}
        return replace(found, models=models)

    def checks(self) -> Checks:
        """Answers of the probe to the features again."""
        return ProbeChecks(self, "the probe's answer to what was kept")


def probe_of(spec: Spec) -> DecoderProbe:
    """The probe of a spec; raises `EvalkitError` where its file is another one now."""
    ref = spec.models["probe"]
    if ref.weights is None:
        raise EvalkitError(f"nothing says where the probe {ref.name} lies. Give --probe RUN")
    if file_sha256(probe_file(ref.weights)) != ref.sha256:
        raise EvalkitError(f"the probe {ref.name} has changed since the run was planned. Give a fresh --out")
    return read_probe(ref.weights)


def no_answer(outside: float) -> str:
    """Why there is no answer."""
    return f"{100 * outside:.0f} % of the images are outside of what the probe was trained on, so it gives no answer"


def _answer(probe: DecoderProbe, folder: str, share: Estimate, outside: Estimate) -> str:
    if outside.value > MOST_OUTSIDE:
        return f"{folder}: {no_answer(outside.value)}."
    ends = "" if share.low is None else f" (95 % interval {share.low:.2f} to {share.high:.2f})"
    return (
        f"{folder}: mean probability of {probe.names[1]} {share.value:.2f}{ends}; {100 * outside.value:.0f} % of "
        f"{outside.n:,} images are outside of what it was trained on."
    )


def _share(spec: Spec, probe: DecoderProbe, share: Estimate, outside: Estimate) -> Result:
    if outside.value <= MOST_OUTSIDE:
        return _result(spec, SHARE, share)
    empty = _result(spec, SHARE, Estimate(0.0, None, None, share.n, share.method))
    return replace(empty, value=None, status="unavailable", reason=no_answer(outside.value))


def _result(spec: Spec, metric: Metric, e: Estimate) -> Result:
    name, protocol = spec.inputs["data"].name, spec.protocols[0].id
    ends = (e.value, e.low, e.high, e.method, e.n)
    return Result(SHARE.task, name, metric.name, *ends, metric.unit, metric.better, protocol)


ASK = DecoderTask()
TASKS.add(ASK.name, ASK)
