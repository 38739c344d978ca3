"""Verification of attacked images: the manifest against the rows of each attack, and attacks done again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.decode import decode_image
from evalkit.images.sample import ImageSet, Sample
from evalkit.jobs.checks import CHECKS, Checks, Failure, How, Outcome, chosen
from evalkit.jsonio import canonical_json, parse_json, pretty_json
from evalkit.provenance.kinds import MANIFEST, manifest_rows
from evalkit.runs.store import Run
from evalkit.watermark.attacks.base import Attack
from evalkit.watermark.attacks.spelling import Options, read_attack

ROWS, ATTACK = ".rows.jsonl", "attack.json"


class AttackChecks(Checks):
    """What the manifest of `evalkit watermark attack` promises."""

    scores = False

    def recompute(self, run: Run, how: How) -> Outcome:
        """Every row of the manifest stands in its attack's own rows, and the attack is called the same there."""
        rows = manifest_rows(run.path)
        names = {
            str(parse_json(file.read_bytes(), str(file))["name"]): file.parent for file in run.path.glob(f"*/{ATTACK}")
        }
        own = {name: _own_rows(folder) for name, folder in names.items()}
        bad = []
        for row in rows:
            folder = names.get(row["attack"])
            kept = own.get(row["attack"], {}).get(row["id"])
            if folder is None:
                bad.append(Failure(MANIFEST, f"no {ATTACK} is of {row['attack']}"))
            elif kept is None or {**kept, "path": _below(folder, kept["path"])} != row:
                bad.append(Failure(f"{folder.name}/{ROWS}", f"the row of {row['id']} is not that of {MANIFEST}"))
        return Outcome(0 if bad else len(rows), tuple(bad))

    def regenerate(self, run: Run, count: int, how: How) -> Outcome:
        """Chosen images attacked again with their own seeds; equal pixels pass."""
        if how.data is None:
            return Outcome(0, open="give the images that were attacked: --data FOLDER")
        images = open_images(how.data)
        positions = {id: position for position, id in enumerate(images.ids())}
        rows = [row for row in manifest_rows(run.path) if row["error"] is None]
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
            same = _same_pixels(attack, sample, row, run.path / row["path"])
            if same:
                done += 1
            elif other := _other_attack(attack, run.path / Path(row["path"]).parts[0] / ATTACK):
                skipped.append(f"{row['path']} differs, which says nothing here: another {other}")
            else:
                bad.append(Failure(row["path"], f"attacked again with seed {row['seed']} it has other pixels"))
        return Outcome(done, tuple(bad), skipped[0] if skipped else None)


def _source(images: ImageSet, positions: Mapping[str, int], row: Mapping[str, Any]) -> Sample | None:
    at = positions.get(row["id"])
    found = None if at is None else next(iter(images.read(at, at + 1, threads=1)))
    return found if isinstance(found, Sample) and found.sha256 == row["source_sha256"] else None


def _same_pixels(attack: Attack, sample: Sample, row: Mapping[str, Any], path: Path) -> bool:
    (made,) = attack.files([sample.image], [row["seed"]])
    attack.release()
    kept = path.read_bytes()
    return made.data == kept or np.array_equal(decode_image(made.data), decode_image(kept))


def _other_attack(attack: Attack, file: Path) -> str | None:
    """In what the attack here is not the one that was recorded, such as versions of libraries."""
    before = parse_json(file.read_bytes(), str(file))
    now = json.loads(pretty_json(attack.record()))
    different = [key for key in now if canonical_json(before.get(key)) != canonical_json(now[key])]
    return ", ".join(different) or None


def _own_rows(folder: Path) -> dict[str, dict[str, Any]]:
    """The last row of each image."""
    if not (folder / ROWS).is_file():
        raise EvalkitError(f"{folder.name}/{ROWS} is missing, so the manifest cannot be compared with it")
    lines = (folder / ROWS).read_text(encoding="utf-8", errors="surrogatepass").split("\n")
    rows = [json.loads(line)["row"] for line in lines if line]
    return {row["id"]: row for row in rows}


def _below(folder: Path, path: str | None) -> str | None:
    return None if path is None else f"{folder.name}/{path}"


CHECKS.add("attack", AttackChecks())
