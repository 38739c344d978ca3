"""Verification of attacked images: results and manifest against the rows, and attacks done again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.images import open_images
from evalkit.images.decode import decode_image
from evalkit.images.sample import ImageSet, Sample
from evalkit.jobs.checks import Failure, How, Outcome, chosen
from evalkit.jobs.data import data_failures
from evalkit.jobs.recomputed import TaskChecks, unlike
from evalkit.jsonio import canonical_json, pretty_json
from evalkit.runs.store import Run
from evalkit.watermark.attacks.base import Attack
from evalkit.watermark.attacks.spelling import Options, read_attack


class AttackChecks(TaskChecks):
    """What a run of `evalkit watermark attack` promises."""

    scores = False

    def recompute(self, run: Run, how: How) -> Outcome:
        """Results and manifest from the rows; every row's image by its digest."""
        again = self.again(run)
        bad, earlier = unlike(run, again.results)
        bad += [
            Failure(name, "it does not follow from samples.parquet and the plan")
            for name, data in again.files.items()
            if (run.path / name).read_bytes() != (data if isinstance(data, bytes) else b"".join(data))
        ]
        bad += [
            Failure(row["path"], "its row says another sha256")
            for row in run.samples.to_pylist()
            if row["path"] is not None and run.record["files"].get(row["path"]) != row["sha256"]
        ]
        bad += data_failures(run, again.facts["data"]["digest"])
        return Outcome(0 if bad else run.samples.num_rows, tuple(bad), earlier)

    def regenerate(self, run: Run, count: int, how: How) -> Outcome:
        """Chosen images attacked again with their own seeds; equal pixels pass."""
        if how.data is None:
            return Outcome(0, open="give the images that were attacked: --data FOLDER")
        images = open_images(how.data)
        positions = {id: position for position, id in enumerate(images.ids())}
        rows = [row for row in run.samples.to_pylist() if row["error"] is None]
        records = {each["record"]["name"]: each["record"] for each in self.task.spec(run).parameters["attacks"]}
        bad: list[Failure] = []
        skipped: list[str] = []
        done = 0
        for at in chosen(len(rows), count, how.seed):
            row = rows[at]
            sample = _source(images, positions, row)
            if sample is None:
                skipped.append(f"{row['id']} of {how.data} is not the image that was attacked")
                continue
            attack = read_attack(row["attack"], Options(how.device, weights=how.weights))
            if _same_pixels(attack, sample, row, run.path / row["path"]):
                done += 1
            elif other := _other_attack(attack, records[row["attack"]]):
                skipped.append(f"{row['path']} differs, which says nothing here: another {other}")
            else:
                bad.append(Failure(row["path"], f"attacked again with seed {row['seed']} it has other pixels"))
        return Outcome(done, tuple(bad), skipped[0] if skipped else None, len(rows))


def _source(images: ImageSet, positions: Mapping[str, int], row: Mapping[str, Any]) -> Sample | None:
    at = positions.get(row["id"])
    found = None if at is None else next(iter(images.read(at, at + 1, threads=1)))
    return found if isinstance(found, Sample) and found.sha256 == row["source_sha256"] else None


def _same_pixels(attack: Attack, sample: Sample, row: Mapping[str, Any], path: Path) -> bool:
    (made,) = attack.files([sample.image], [row["seed"]])
    attack.release()
    kept = path.read_bytes()
    return made.data == kept or np.array_equal(decode_image(made.data), decode_image(kept))


def _other_attack(attack: Attack, before: Mapping[str, Any]) -> str | None:
    """In what the attack here is not the one that was recorded, such as versions of libraries."""
    now = json.loads(pretty_json(attack.record()))
    different = [key for key in now if canonical_json(before.get(key)) != canonical_json(now[key])]
    return ", ".join(different) or None
