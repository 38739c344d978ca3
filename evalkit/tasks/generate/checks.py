"""Verification of a generation: rows against images and manifest, and images made again from their seeds."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
from PIL import Image as Images

from evalkit.errors import EvalkitError
from evalkit.generators.base import Generator, Image, Request
from evalkit.generators.registry import GENERATORS
from evalkit.jobs.checks import Failure, How, Outcome, chosen
from evalkit.jobs.recomputed import TaskChecks, unlike
from evalkit.jobs.spec import Spec
from evalkit.jsonio import read_json_lines
from evalkit.runs.store import Run
from evalkit.tasks.generate.acceleration import accelerated
from evalkit.tasks.generate.spec import opened, sampler_of
from evalkit.tasks.generate.weights import model_weights

OUTSIDE = ("command:", "http:", "https:", "folder:")


class GenerationChecks(TaskChecks):
    """What a generation run's record and rows promise."""

    scores = False

    def recompute(self, run: Run, how: How) -> Outcome:
        """Results from the rows; the rows against the images' bytes and the manifest."""
        bad, earlier = unlike(run, self.again(run).results)
        rows = run.samples.to_pylist()
        bad += [Failure(row["file"], "its row says another sha256") for row in rows if not _is_file_of(run, row)]
        bad += _manifest(run, rows)
        return Outcome(0 if bad else len(run.results), tuple(bad), earlier)

    def regenerate(self, run: Run, count: int, how: How) -> Outcome:
        """Images of chosen rows made again with their own seeds; equal pixels pass."""
        model = run.record["model"]
        if str(model["name"]).startswith(OUTSIDE):
            return Outcome(0, open="a program outside made the images; a record is no reason to run one")
        spec = self.task.spec(run)
        if spec.parameters.get("processors"):
            return Outcome(0, open="a watermark's secret key had a part in the sampling, and no record holds one")
        if not model.get("deterministic", True):
            return Outcome(0, open=f"{model['name']} does not promise the same image for the same seed")
        rows = [row for row in run.samples.to_pylist() if row["error"] is None]
        picked = [rows[at] for at in chosen(len(rows), count, how.seed)]
        try:
            generator = _generator(run, spec, how)
        except EvalkitError as error:
            return Outcome(0, open=f"the generator cannot be run here: {error}")
        try:
            bad, differing = _again(generator, run, picked)
        finally:
            generator.close()
        if differing and (other := _other_machine(run, generator)):
            said = f"{len(differing)} of {len(picked)} images differ, which says nothing here: {other}"
            return Outcome(0, open=said)
        return Outcome(len(picked) - len(bad) - len(differing), (*bad, *differing), of=len(rows))


def _is_file_of(run: Run, row: dict[str, Any]) -> bool:
    if row["file"] is None:
        return row["error"] is not None
    return bool(run.record["files"].get(row["file"]) == row["sha256"])  # which level 1 has compared with the file


def _manifest(run: Run, rows: list[dict[str, Any]]) -> list[Failure]:
    said = [row for _, row in read_json_lines(run.path / "manifest.jsonl")]
    names = ("id", "seed", "file", "sha256", "error")
    if [[row[name] for name in names] for row in rows] == [[row.get(name) for name in names] for row in said]:
        return []
    return [Failure("manifest.jsonl", "its lines are not the rows of samples.parquet")]


def _generator(run: Run, spec: Spec, how: How) -> Generator:
    model = spec.models["model"]
    entry = GENERATORS.get(model.name)
    draft = spec.models["draft"].name if "draft" in spec.models else None
    beside = model_weights(how.weights, entry.name, draft, elsewhere=True)
    own, other = beside.get(entry.name), beside.get(entry.tokenizer or "")
    if model.settings.get("compile"):
        raise EvalkitError("the run was made by a compiled network, whose rounding is its own")
    models = {role: replace(each, weights=beside.get(each.name)) for role, each in spec.models.items()}
    spec = replace(spec, models={**models, "model": replace(model, weights=own)}, here={"tokenizer_weights": other})
    generator = opened(spec, how.device)
    generator.rows = int(run.record["model"].get("rows", generator.rows))
    accelerated(spec, generator, how.device)
    return generator


def _again(generator: Generator, run: Run, rows: list[dict[str, Any]]) -> tuple[list[Failure], list[Failure]]:
    """(images that could not be made, images with other pixels)."""
    sampler = sampler_of(run.record["sampler"])
    asked = [Request(row["id"], row["prompt"], row["class_id"], row["seed"], sampler) for row in rows]
    bad, differing = [], []
    for row, made in zip(rows, generator.generate(asked), strict=True):
        if not isinstance(made, Image):
            bad.append(Failure(row["file"], f"it could not be made again: {made.reason}"))
            continue
        with Images.open(run.path / row["file"]) as image:
            kept = np.asarray(image.convert("RGB"))
        if kept.shape != made.pixels.shape:
            differing.append(Failure(row["file"], f"made again it has the shape {made.pixels.shape}, not {kept.shape}"))
        elif unlike := int((kept != made.pixels).any(-1).sum()):
            said = f"made again from seed {row['seed']}, {unlike} of {kept.shape[0] * kept.shape[1]} pixels differ"
            differing.append(Failure(row["file"], said))
    return bad, differing


def _other_machine(run: Run, generator: Generator) -> str | None:
    """Why equal pixels cannot be expected here, None where they can."""
    then = (run.record.get("environment") or {}).get("packages", {}).get("torch")
    if str(run.record["model"]["device"]).partition(":")[0] != str(generator.device).partition(":")[0]:
        return f"they were made on {run.record['model']['device']}, not on {generator.device}"
    if then is not None and then != (now := version("torch")):
        return f"they were made with torch {then}, not {now}"
    return None
