"""Verification of a robustness run: its numbers from the rows; kept images attacked and measured again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images.decode import decode_image
from evalkit.images.sample import Pixels
from evalkit.jobs.checks import Failure, How, Outcome, chosen
from evalkit.jobs.data import data_failures
from evalkit.jobs.recomputed import TaskChecks, same_value, unlike
from evalkit.jobs.spec import Spec
from evalkit.jsonio import canonical_json, parse_json
from evalkit.runs.store import Run
from evalkit.watermark.attacks.base import Attack, seed_of
from evalkit.watermark.attacks.spelling import Options, read_attack
from evalkit.watermark.robustness.quality import Quality
from evalkit.watermark.robustness.rows import EMBEDDING, NOTHING, QUALITY, UNMARKED, image_path


class RobustnessChecks(TaskChecks):
    """What a run of `evalkit watermark robustness` promises to somebody without the keys."""

    def recompute(self, run: Run, how: How) -> Outcome:
        """results.json, robustness.json and robustness.csv from the rows."""
        again = self.again(run)
        bad, earlier = unlike(run, again.results)
        for name, made in again.files.items():
            said = (run.path / name).read_bytes()
            data = made if isinstance(made, bytes) else b"".join(made)
            same = (
                same_value(parse_json(said, name), parse_json(data, name)) if name.endswith(".json") else said == data
            )
            if not same:
                bad.append(Failure(name, "it does not follow from samples.parquet and the plan"))
        bad += data_failures(run, again.facts["data"]["digest"])
        return Outcome(0 if bad else len(run.results), tuple(bad), earlier)

    def rescore(self, run: Run, count: int, how: How) -> Outcome:
        """Chosen marked images attacked again with their own seeds: PSNR and SSIM as in their rows."""
        spec = self.task.spec(run)
        rows = [row for row in run.samples.to_pylist() if row["error"] is None and row[QUALITY[0]] is not None]
        quality, attacks = Quality(None), _Attacks(spec, how)
        bad: list[Failure] = []
        skipped: list[str] = []
        done = 0
        for at in chosen(len(rows), count, how.seed):
            row = rows[at]
            try:
                pair = _pair(run, row, attacks, spec.seed)
            except EvalkitError as error:
                skipped.append(str(error))
                continue
            (found,) = quality.measure([pair[0]], [pair[1]])
            other = [name for name in QUALITY[:2] if not same_value(row[name], found[name])]
            if other:
                name = image_path(row["contender"], row["position"])
                bad.append(Failure(name, f"after {row['attack']} it has another {', '.join(other)} than its row says"))
            else:
                done += 1
        return Outcome(done, tuple(bad), skipped[0] if skipped else None, len(rows))

    def regenerate(self, run: Run, count: int, how: How) -> Outcome:
        """Only who has the key can mark an image the same way."""
        return Outcome(0, open="who has the keys marks again, and compares")


class _Attacks:
    """The attacks of a run by name, as they can be made here."""

    def __init__(self, spec: Spec, how: How) -> None:
        self.records = {each["record"]["name"]: each["record"] for each in spec.parameters["attacks"]}
        self.options = Options(how.device, weights=how.weights)

    def get(self, name: str) -> Attack:
        """Raises `EvalkitError` where it is another one here, which says nothing of the run."""
        attack = read_attack(name, self.options)
        now = json.loads(canonical_json(attack.record()))
        other = [key for key, value in now.items() if self.records[name].get(key) != value]
        if other:
            raise EvalkitError(f"{name} differs here in its {', '.join(other)}. Verify with the packages of the run")
        return attack


def _pair(run: Run, row: Mapping[str, Any], attacks: _Attacks, seed: int) -> tuple[Pixels, Pixels]:
    """The images that a row compares, before and after."""
    image = _image(run, row["contender"], row["position"])
    if row["set"] == EMBEDDING:
        return _image(run, UNMARKED, row["position"]), image
    if row["attack"] == NOTHING:
        return image, image
    attack = attacks.get(row["attack"])
    (file,) = attack.files([image], [seed_of(seed, row["id"])])
    attack.release()
    return image, decode_image(file.data)


def _image(run: Run, name: str, position: int) -> Pixels:
    path = run.path / image_path(name, position)
    try:
        return decode_image(path.read_bytes())
    except OSError as error:
        raise EvalkitError(f"{path} cannot be read ({error.strerror}). Put it back") from None
