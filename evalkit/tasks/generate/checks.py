"""Verification of a generation: rows against images and manifest, and images made again from their seeds."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import numpy as np
from PIL import Image as Pictures

from evalkit.errors import EvalkitError
from evalkit.generators.base import Generator, Image, Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.registry import GENERATORS, load_generator
from evalkit.generators.sampling import Sampler
from evalkit.jobs.checks import CHECKS, Checks, Failure, How, Outcome, chosen
from evalkit.metrics.generation import IMAGES_FAILED, IMAGES_MADE
from evalkit.runs.store import Run
from evalkit.tasks.generate.acceleration import restore, results

OUTSIDE = ("command:", "http:", "https:", "folder:")


class GenerationChecks(Checks):
    """What a generation run's record and rows promise."""

    scores = False

    def recompute(self, run: Run, how: How) -> Outcome:
        """Counts from the rows; the rows against the images' bytes and the manifest."""
        failed = run.samples.num_rows - run.samples["error"].null_count
        counts: dict[str, object] = {IMAGES_MADE.name: run.samples.num_rows - failed, IMAGES_FAILED.name: failed}
        counts.update((each.metric, each.value) for each in results(run.samples, ""))
        bad = [
            Failure("results.json", f"{row['metric']} is {row['value']}, the rows give {counts.get(row['metric'])}")
            for row in run.results
            if row["value"] != counts.get(row["metric"])
        ]
        rows = run.samples.to_pylist()
        bad += [Failure(row["file"], "its row says another sha256") for row in rows if not _is_file_of(run, row)]
        bad += _manifest(run, rows)
        return Outcome(0 if bad else len(run.results), tuple(bad))

    def regenerate(self, run: Run, count: int, how: How) -> Outcome:
        """Images of chosen rows made again with their own seeds; equal pixels pass."""
        model = run.record["model"]
        if str(model["name"]).startswith(OUTSIDE):
            return Outcome(0, open="a program outside made the images; a record is no reason to run one")
        if run.record["plan"].get("processors"):
            return Outcome(0, open="a watermark's secret key had a part in the sampling, and no record holds one")
        if not model.get("deterministic", True):
            return Outcome(0, open=f"{model['name']} does not promise the same image for the same seed")
        rows = [row for row in run.samples.to_pylist() if row["error"] is None]
        picked = [rows[at] for at in chosen(len(rows), count, how.seed)]
        try:
            generator = _generator(run, how)
        except EvalkitError as error:
            return Outcome(0, open=f"the generator cannot be run here: {error}")
        try:
            bad, differing = _again(generator, run, picked)
        finally:
            generator.close()
        if differing and (other := _other_machine(run, generator)):
            said = f"{len(differing)} of {len(picked)} images differ, which says nothing here: {other}"
            return Outcome(0, open=said)
        return Outcome(len(picked) - len(bad) - len(differing), (*bad, *differing))


def _is_file_of(run: Run, row: dict[str, Any]) -> bool:
    if row["file"] is None:
        return row["error"] is not None
    return bool(run.record["files"].get(row["file"]) == row["sha256"])  # which level 1 has compared with the file


def _manifest(run: Run, rows: list[dict[str, Any]]) -> list[Failure]:
    lines = (run.path / "manifest.jsonl").read_text(encoding="utf-8", errors="surrogatepass").split("\n")[:-1]
    said = [json.loads(line) for line in lines]
    names = ("id", "seed", "file", "sha256", "error")
    if [[row[name] for name in names] for row in rows] == [[row.get(name) for name in names] for row in said]:
        return []
    return [Failure("manifest.jsonl", "its lines are not the rows of samples.parquet")]


def _generator(run: Run, how: How) -> Generator:
    model = run.record["model"]
    entry = GENERATORS.get(model["name"])
    beside = {key: path for key, equals, path in (each.partition("=") for each in how.weights) if equals}
    own = beside.get(entry.name) or next((each for each in how.weights if "=" not in each), None)
    other = beside.get(entry.tokenizer or "tokenizer") or beside.get("tokenizer")
    generator = load_generator(entry.name, own, how.device, model["dtype"], tokenizer_weights=other)
    if generator.weights_sha256 != model["weights_sha256"]:
        raise EvalkitError(f"the weights here are not those of the run (sha256 {str(model['weights_sha256'])[:12]}…)")
    generator.rows = int(model.get("rows", generator.rows))
    if run.record["plan"].get("compile"):
        raise EvalkitError("the run was made by a compiled network, whose rounding is its own")
    if isinstance(said := run.record["plan"].get("accelerate"), dict):
        restore(generator, said, lambda name: load_generator(name, beside.get(name), how.device, model["dtype"]))
    return generator


def _again(generator: Generator, run: Run, rows: list[dict[str, Any]]) -> tuple[list[Failure], list[Failure]]:
    """(images that could not be made, images with other pixels)."""
    sampler = _sampler(run.record["sampler"])
    asked = [Request(row["id"], row["prompt"], row["class_id"], row["seed"], sampler) for row in rows]
    bad, differing = [], []
    for row, made in zip(rows, generator.generate(asked), strict=True):
        if not isinstance(made, Image):
            bad.append(Failure(row["file"], f"it could not be made again: {made.reason}"))
            continue
        with Pictures.open(run.path / row["file"]) as picture:
            kept = np.asarray(picture.convert("RGB"))
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


def _sampler(said: dict[str, Any]) -> Sampler:
    guidance = dict(said["guidance"])
    known = {name: guidance[name] for name in Guidance.__dataclass_fields__ if name in guidance}
    if known.get("window") is not None:
        known["window"] = tuple(known["window"])
    rest = {name: said[name] for name in Sampler.__dataclass_fields__ if name in said and name != "guidance"}
    return Sampler(Guidance(**known), **rest)


CHECKS.add("generate", GenerationChecks())
