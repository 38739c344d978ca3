"""Rows of an attack run: what became of each image, appended as it happens and read back when the run goes on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from io import BufferedWriter
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.images.decode import decode_image
from evalkit.images.sample import Pixels, Sample
from evalkit.jsonio import canonical_json, parse_json
from evalkit.metrics.psnr import mse
from evalkit.runs.store import write_bytes
from evalkit.watermark.attacks.base import Attack, File, seed_of


class RowFile:
    """`.rows.jsonl` of one attack's folder: rows with the state of their source, so that changed sources are done again.

    A line that a kill cut off is dropped, and its image done again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / ".rows.jsonl"
        self.rows: dict[str, dict[str, Any]] = {}
        self.states: dict[str, str] = {}
        self._stream: BufferedWriter | None = None
        whole = b""
        if self.path.exists():
            for line in self.path.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n") or not self._take(line):
                    break
                whole += line
            write_bytes(self.path, whole)

    def has(self, id: str, state: str) -> bool:
        """Whether the image was attacked (and its file is there) since its source last changed; failures are retried."""
        row = self.rows.get(id)
        if row is None or self.states[id] != state or row["error"] is not None:
            return False
        return bool(row["path"]) and (self.folder / row["path"]).is_file()

    def add(self, row: dict[str, Any], state: str) -> None:
        """Append a row; it is on disk before this returns to the next image."""
        if self._stream is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._stream = self.path.open("ab")
        self._stream.write(canonical_json({"row": row, "state": state}) + b"\n")
        self._stream.flush()
        self.rows[row["id"]], self.states[row["id"]] = row, state

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def in_order(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The rows of these images."""
        return [self.rows[id] for id in ids]

    def _take(self, line: bytes) -> bool:
        try:
            found = parse_json(line, "the row")
            self.rows[found["row"]["id"]], self.states[found["row"]["id"]] = found["row"], found["state"]
        except (ValueError, KeyError, TypeError):
            return False
        return True


def attacked_rows(
    attack: Attack, folder: Path, samples: Sequence[Sample], names: Mapping[str, str], seed: int
) -> dict[str, dict[str, Any]]:
    """Attack images, write their files and give their rows by id; a batch that fails is tried one by one."""
    seeds = [seed_of(seed, each.id) for each in samples]
    try:
        files = attack.files([each.image for each in samples], seeds) if samples else []
    except (EvalkitError, ValueError, OSError, RuntimeError) as error:
        if len(samples) == 1:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            return {samples[0].id: failed_row(attack, samples[0].id, said, samples[0].sha256)}
        alone = [attacked_rows(attack, folder, [each], names, seed) for each in samples]
        return {id: row for part in alone for id, row in part.items()}
    rows = {}
    for sample, file, drawn in zip(samples, files, seeds, strict=True):
        path = names[sample.id] + file.suffix
        write_bytes(folder / path, file.data)
        rows[sample.id] = _row(attack, sample, file, path, drawn)
    return rows


def failed_row(attack: Attack, id: str, reason: str, sha256: str | None) -> dict[str, Any]:
    """A row with nothing but the reason."""
    empty = ("path", "sha256", "seed", "width", "height", "changed", "psnr")
    return {"id": id, "attack": attack.name, "source_sha256": sha256, "error": reason, **dict.fromkeys(empty)}


def _row(attack: Attack, sample: Sample, file: File, path: str, seed: int) -> dict[str, Any]:
    after = decode_image(file.data)
    same = after.shape == sample.image.shape
    return {
        "id": sample.id,
        "attack": attack.name,
        "path": path,
        "source_sha256": sample.sha256,
        "sha256": hashlib.sha256(file.data).hexdigest(),
        "seed": seed,
        "width": after.shape[1],
        "height": after.shape[0],
        "changed": not (same and np.array_equal(after, sample.image)),
        "psnr": _psnr(sample.image, after) if same else None,
        "error": None,
    }


def _psnr(before: Pixels, after: Pixels) -> float | None:
    """dB; None for equal images, whose ratio is infinite."""
    error = mse(before, after)
    return None if error == 0 else round(-10 * math.log10(error), 3)
