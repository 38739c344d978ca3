"""Verification of a tokenizer's run: results from rows and statistics, kept images scored again, samples made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from PIL import Image as Images

from evalkit.device import pick_device
from evalkit.errors import EvalkitError
from evalkit.images import content_digest, open_images
from evalkit.jobs.checks import Failure, How, Outcome, chosen
from evalkit.jobs.data import data_failures
from evalkit.jobs.earlier import key_of
from evalkit.jobs.options import weights_by_name
from evalkit.jobs.recomputed import ABSOLUTE, TaskChecks, same_value, unlike
from evalkit.jobs.shard import Shard
from evalkit.jobs.spec import Spec
from evalkit.jobs.task import Task, Worker
from evalkit.jobs.timers import Timers
from evalkit.metrics.faces import DETECTOR
from evalkit.metrics.registry import METRICS, of_level
from evalkit.metrics.ssim import SSIM
from evalkit.metrics.text_rates import ERROR, READER, SCRIPT
from evalkit.protocols import Protocol, load_protocol
from evalkit.runs.store import Run
from evalkit.tasks.tokenizer.distances import TASK as DISTRIBUTION
from evalkit.tasks.tokenizer.evaluators import Evaluators
from evalkit.tasks.tokenizer.pair import Pair
from evalkit.tasks.tokenizer.recompute import without_features
from evalkit.tokenizers.registry import tokenizer_alias

PARTS = ("[scale ", "[bit ")  # shares for each scale or bit, of which no statistic is kept
SAME = 1e-6  # relative, of the same images under the same judges on another machine
NEAR = 0.01  # relative, of images that a network made again: sums in another order may turn single codes
NETWORKS = 1e-3  # absolute, of LPIPS of the same images


class ReconstructionChecks(TaskChecks):
    """What a tokenizer run's record, rows, statistics and images promise."""

    def __init__(self, task: Task, evaluators: Callable[[Spec, str], Evaluators]) -> None:
        super().__init__(task)
        self.evaluators = evaluators

    def recompute(self, run: Run, how: How) -> Outcome:
        """Every result again, intervals included where they need no features that were not kept."""
        other = [each["id"] for each in run.record["protocols"] if load_protocol(each["id"]).sha256 != each["sha256"]]
        if other:
            return Outcome(0, open=f"the protocol {other[0]} of this evalkit is not that of the run")
        without_interval = without_features(run)
        unknown = sorted({row["metric"] for row in run.results if METRICS.find(row["metric"]) is None})
        made = self.again(run).results
        rows = [*run.results, *map(asdict, made)]
        left_out = {key_of(row) for row in rows if _needs_more(row) or row["metric"] in unknown}
        failures, earlier = unlike(
            run, made, source="rows and statistics give", same=SAME, skip=left_out, unbounded=without_interval
        )
        failures += _of_data(run)
        skipped = sum(map(_needs_more, run.results))
        checked = sum(key_of(row) not in left_out for row in run.results)
        left = [f"{len(without_interval)} intervals"] if without_interval else []
        left += [f"{skipped} results of single scales and bits, or of infinitely many images"] if skipped else []
        open = [f"not kept is what {' and '.join(left)} need"] if left else []
        open += [earlier] if earlier else []
        open += [f"no package here declares {', '.join(unknown)}"] if unknown else []
        return Outcome(checked, tuple(failures), "; ".join(open) or None)

    def rescore(self, run: Run, count: int, how: How) -> Outcome:
        """Kept pairs of images under the protocol's own judges, against the columns of their rows."""
        if not run.images:
            return Outcome(0, open="no image was kept; run it with --keep all")
        protocols = {row["id"]: load_protocol(row["id"]) for row in run.record["protocols"]}
        judges = self.evaluators(self.task.spec(run), how.device)
        rows = {(row["id"], row["protocol"]): row for row in run.samples.to_pylist()}
        failures: list[Failure] = []
        for at in chosen(len(run.images), count, how.seed):
            image = run.images[at]
            row, protocol = rows.get((image["id"], image["protocol"])), protocols.get(image["protocol"])
            if row is None or protocol is None:
                failures.append(Failure(image["reconstruction"], "samples.parquet has no row of it"))
                continue
            failures += _scored_again(run, image, row, protocol, judges)
        number = min(count, len(run.images))
        missing = sorted(set(judges.unavailable) - set(run.record["judges"]["unavailable"]) - _extractors(protocols))
        said = f"not here: {', '.join(missing)}" if missing else None
        return Outcome(number, tuple(failures), said, len(run.images))

    def regenerate(self, run: Run, count: int, how: How) -> Outcome:
        """Chosen samples of the data set encoded, decoded and scored again, against their rows."""
        try:
            worker = self._worker(run, how)
        except EvalkitError as error:
            return Outcome(0, open=f"the run cannot be repeated here: {error}")
        failures: list[Failure] = []
        rows: dict[str, dict[str, dict[str, Any]]] = {}
        for row in run.samples.to_pylist():
            rows.setdefault(row["id"], {})[row["protocol"]] = row
        unlike = {ERROR} if "skipped" in run.record["data"] else {ERROR, "sha256"}  # arrays had another digest before
        names = list(rows)
        picked = chosen(len(names), count, how.seed)
        for at in picked:
            made = worker.process(Shard("again", at, at + 1), lambda n: None).rows.to_pylist()
            for row in made:
                kept = rows[names[at]].get(row["protocol"], {})
                fields = [name for name in row if name in kept and name not in unlike and _fixed(name, kept)]
                bad = [name for name in fields if not same_value(row[name], kept.get(name), NEAR)]
                failures += [
                    Failure("samples.parquet", f"{names[at]}: {name} is {kept.get(name)}, made again {row[name]}")
                    for name in bad
                ]
        return Outcome(len(picked), tuple(failures), of=len(names))

    def _worker(self, run: Run, how: How) -> Worker:
        """A worker on this machine that makes the run's samples again; distances of sets are left out."""
        spec = self.task.spec(run)
        _check_images(run, how)
        ref = spec.models["model"]
        given = weights_by_name(how.weights, [ref.name], canonical=tokenizer_alias, elsewhere=True).get(ref.name)
        tasks = [each for each in spec.parameters["tasks"] if each != DISTRIBUTION]
        spec = replace(
            spec,
            models={"model": replace(ref, weights=given)},
            parameters={**spec.parameters, "tasks": tasks, "keep": "none"},
            here={"data": how.data or run.record["data"]["spec"], "threads": 1},
        )
        said = run.record["model"]
        device = str(pick_device(how.device))
        if not said["deterministic"] and device != said["device"]:
            raise EvalkitError(f"{said['name']} decodes with noise, which is the same on {said['device']} only")
        return self.task.open(spec, how.device)


def _of_data(run: Run) -> list[Failure]:
    """The digest of the data against the images that the rows speak of."""
    rows = run.samples.select(["id", "protocol", "sha256"]).to_pylist()
    first = run.record["protocols"][0]["id"]
    return data_failures(run, content_digest((row["id"], row["sha256"]) for row in rows if row["protocol"] == first))


def _scored_again(
    run: Run, image: Mapping[str, Any], row: Mapping[str, Any], protocol: Protocol, judges: Evaluators
) -> list[Failure]:
    original, reconstruction = (_pixels(run, image[which]) for which in ("original", "reconstruction"))
    pair = Pair({"text": row["text_truth"]}, original, reconstruction, {"task": row["task"]})
    judges.score(protocol, [pair], Timers())
    distances = _columns_of_networks() - _columns_of_networks(READER, DETECTOR)
    failures = []
    for name, value in pair.row.items():
        if name not in row or name in ("task", SCRIPT, ERROR) or (name == SSIM.name and protocol.ssim.batch > 1):
            continue
        slack = NETWORKS if name in distances else ABSOLUTE
        if not same_value(value, row[name], SAME, slack):
            reason = f"{image['id']}: {name} is {value} scored again, its row says {row[name]}"
            failures.append(Failure(image["reconstruction"], reason))
    return failures


def _pixels(run: Run, name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with Images.open(run.path / name) as image:
        return np.asarray(image.convert("RGB"))


def _check_images(run: Run, how: How) -> None:
    data = run.record["data"]
    spec = how.data or data["spec"]
    if how.data is None and str(spec).startswith("hf:"):
        raise EvalkitError(f"the data is {spec}, which is not asked for unless it is named: --data {spec}")
    names = list(dict.fromkeys(run.samples["id"].to_pylist()))
    if list(open_images(spec).ids()[: len(names)]) != names:
        raise EvalkitError(f"{spec} holds other images now; give the run's own with --data")


def _fixed(name: str, kept: Mapping[str, Any]) -> bool:
    """Columns that can be compared: those of networks that were there; ssim over batches needs its neighbours."""
    if kept.get(name) is None and name in _columns_of_networks():
        return False
    return name != SSIM.name or load_protocol(kept["protocol"]).ssim.batch == 1


def _columns_of_networks(*networks: str) -> set[str]:
    """Columns of the metrics that need a network, or one of these."""
    mine = [metric for metric in of_level("pair") if metric.needs]
    if networks:
        mine = [metric for metric in mine if set(metric.needs) & set(networks)]
    return {column.name for metric in mine for column in metric.columns}


def _extractors(protocols: Mapping[str, Protocol]) -> set[str]:
    return {name for protocol in protocols.values() for name in protocol.distribution.extractors}


def _needs_more(row: Mapping[str, Any]) -> bool:
    """Whether the result needs what no run keeps: shares for each scale or bit, or all features."""
    return row["task"] == "fid-infinity" or any(part in row["dataset"] for part in PARTS)
