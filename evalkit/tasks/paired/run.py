"""`paired_scores`: how near the images of a faster run are to those of a baseline, and what was gained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evalkit.device import pick_device
from evalkit.encoders.registry import weight_keys
from evalkit.errors import EvalkitError, MissingDependency, WeightsError
from evalkit.images.sample import ImageSet
from evalkit.jobs.engine_inline import run_as_wished, run_folder
from evalkit.jobs.options import RunOptions, weights_by_name
from evalkit.jobs.spec import ModelRef, Spec
from evalkit.metrics.metric import Metric
from evalkit.metrics.paired import LPIPS, SUBJECT, paired_metrics
from evalkit.runs.store import Run
from evalkit.tasks.paired.sides import check_pairs, cost_of, run_behind, side_of
from evalkit.tasks.paired.task import PAIRED, SHARD, VERSION
from evalkit.tasks.score.inputs import Looked, looked_at, tell
from evalkit.weights.find import find_weights
from evalkit.weights.reading import file_sha256


def paired_scores(
    images: str | Path | ImageSet,
    baseline: str | Path | ImageSet,
    *,
    metrics: Sequence[str] = (),
    options: RunOptions | None = None,
) -> Run:
    """Compare `images` with those of `baseline`, pair by pair, as a sealed run with one row per image.

    Both: the folder of a run of `evalkit generate` (paired by request, with equal prompts and seeds), or what
    `open_images` takes (paired by name without ending). `metrics`: psnr, ssim, lpips, exact, cost [these], canny, maps
    and subject, for which `baseline` holds controls, their maps, or subjects. Cost is speed-up, evaluations and peak
    memory, which both records tell; `unavailable` with the reason where one does not. Raises
    `EvalkitError` before any work where nothing pairs, or prompts or seeds differ.
    """
    options = options or RunOptions()
    pick_device(options.device)
    wanted = paired_metrics(metrics)
    mine, other = looked_at(images, options.limit), looked_at(baseline, None)
    sides = [side_of(_set(each), str(each.ref.source), each.ref.n) for each in (mine, other)]
    check_pairs(sides[0], sides[1], (mine.ref.name, other.ref.name))
    runs = [run_behind(str(each.ref.source)) for each in (mine, other)]
    found, missing = _networks(wanted, options.weights)
    spec = Spec(
        PAIRED.name,
        VERSION,
        models=found,
        inputs={"data": mine.ref, "reference": other.ref},
        metrics=tuple(metric.name for metric in wanted),
        parameters={
            "model": _model(mine, runs[0]),
            "missing": missing,
            "costs": {role: cost_of(run) for role, run in zip(("data", "reference"), runs, strict=True)},
        },
        seed=options.seed,
        shard=SHARD,
        here={"threads": options.threads, "data": dict(mine.about), "reference": dict(other.about)},
    )
    out = options.out or run_folder(spec, mine.label)
    for each in (mine, other):
        tell(each, out, options)
    return run_as_wished(PAIRED, spec, out, options)


def _networks(wanted: Sequence[Metric], given: Sequence[str]) -> tuple[dict[str, ModelRef], dict[str, str]]:
    """Networks by id: those whose weights are here, and why the others are not."""
    nets = {metric.needs[0]: f"lpips-trunk-{net}" for net, metric in LPIPS.items() if metric in wanted}
    nets |= {name: weight_keys().get(name, name) for name, metric in SUBJECT.items() if metric in wanted}
    paths = weights_by_name(given, list(nets))
    found: dict[str, ModelRef] = {}
    missing: dict[str, str] = {}
    for name, key in nets.items():
        try:
            path = find_weights(key, paths.get(name))
        except (WeightsError, MissingDependency) as error:
            missing[name] = str(error)
        else:
            found[name] = ModelRef(name, file_sha256(path), weights=str(path))
    return found, missing


def _model(mine: Looked, run: Run | None) -> dict[str, Any]:
    said = {} if run is None else run.record.get("model") or {}
    return {"name": mine.label, **{name: said[name] for name in ("weights_sha256", "tokenizer") if said.get(name)}}


def _set(looked: Looked) -> ImageSet:
    if looked.images is None:
        raise EvalkitError(f"{looked.ref.name} holds no images. Give a run of evalkit generate, or a folder")
    return looked.images
