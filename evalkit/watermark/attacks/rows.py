"""Rows of attacked images: what became of each of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from evalkit.arrow import table_of_rows
from evalkit.errors import EvalkitError
from evalkit.images.decode import decode_image
from evalkit.images.sample import Pixels, Sample, Unreadable
from evalkit.metrics.psnr import PSNR, mse
from evalkit.watermark.attacks.base import Attack, File, seed_of

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("attack", pa.string()),
        ("path", pa.string()),
        ("source_sha256", pa.string()),
        ("sha256", pa.string()),
        ("seed", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("changed", pa.bool_()),
        (PSNR.name, pa.float64()),  # dB against the image before; null where it is equal, or of another size
        ("error", pa.string()),
    ]
)


def table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows (missing columns are null) as a table of the fixed schema."""
    return table_of_rows(rows, SCHEMA)


def attacked(
    attack: Attack, samples: Sequence[Sample], names: Mapping[str, str], seed: int
) -> list[tuple[dict[str, Any], bytes]]:
    """(row, bytes of the file) of each image in order; a batch that fails is tried one by one."""
    seeds = [seed_of(seed, each.id) for each in samples]
    try:
        files = attack.files([each.image for each in samples], seeds) if samples else []
    except (EvalkitError, ValueError, OSError, RuntimeError, MemoryError) as error:
        if len(samples) > 1:
            return [each for sample in samples for each in attacked(attack, [sample], names, seed)]
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        return [(failed(attack, samples[0], said), b"")]
    return [
        (_row(attack, sample, file, f"{attack.folder}/{names[sample.id]}{file.suffix}", drawn), file.data)
        for sample, file, drawn in zip(samples, files, seeds, strict=True)
    ]


def failed(attack: Attack, sample: Sample | Unreadable, reason: str) -> dict[str, Any]:
    """A row with nothing but the reason."""
    return {"id": sample.id, "attack": attack.name, "source_sha256": sample.sha256, "error": reason}


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
        PSNR.name: _psnr(sample.image, after) if same else None,
        "error": None,
    }


def _psnr(before: Pixels, after: Pixels) -> float | None:
    """dB; None for equal images, whose ratio is infinite."""
    error = mse(before, after)
    return None if error == 0 else round(-10 * math.log10(error), 3)
