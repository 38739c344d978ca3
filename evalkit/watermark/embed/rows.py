"""One row for each image that was marked afterwards: what it cost, and what a detector will see."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evalkit.arrow import table_of_rows
from evalkit.images.sample import Pixels, Sample, Unreadable
from evalkit.metrics.psnr import mse
from evalkit.metrics.ssim import ssim
from evalkit.metrics.watermark import EXCHANGED, GREEN_EMBEDDED, GREEN_READ_BACK, LIKENESS
from evalkit.watermark.mark import Mark
from evalkit.watermark.score import Scores

Ints = npt.NDArray[np.int64]
SMALLEST = 11  # side below which no window of SSIM fits
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source_sha256", pa.string()),
        ("source_width", pa.int32()),
        ("source_height", pa.int32()),
        ("file", pa.string()),
        ("sha256", pa.string()),
        ("side", pa.int32()),  # of the tokenizer's square
        ("width", pa.int32()),  # of the marked image
        ("height", pa.int32()),
        ("list_id", pa.int32()),
        ("codes", pa.int32()),
        (EXCHANGED.name, pa.float64()),  # share of codes that differ from the plain encoding's
        ("green_before", pa.float64()),  # share of green codes of the plain encoding
        (GREEN_EMBEDDED.name, pa.float64()),
        (GREEN_READ_BACK.name, pa.float64()),  # of the 8-bit image, encoded again
        ("log10_p", pa.float64()),  # of the codes that are read back, corrected for the pool
        *((metric.name, pa.float64()) for pair in LIKENESS.values() for metric in pair),
        ("error", pa.string()),
    ]
)


@dataclass(frozen=True)
class Views:
    """An image in six states, uint8, and its codes in three, int64 [N].

    `input`, `marked`: what marking changed, and what it made of it, of one size. `given`, `plain`, `seen`: the
    tokenizer's squares of the file, of its plain reconstruction, and of the marked image.
    """

    input: Pixels
    given: Pixels
    plain: Pixels
    marked: Pixels
    seen: Pixels
    codes_plain: Ints
    codes_marked: Ints
    codes_again: Ints


def table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows (missing columns are null) as a table of the fixed schema."""
    return table_of_rows(rows, SCHEMA)


def failed(sample: Sample | Unreadable, reason: str) -> dict[str, Any]:
    """A row of an image that was not marked."""
    return {"id": sample.id, "source_sha256": sample.sha256, "error": reason}


def row_of(
    sample: Sample, views: Views, mark: Mark, list_id: int, scores: Scores, file: str, data: bytes
) -> dict[str, Any]:
    """The row of a marked image whose bytes `data` will lie at `file`; `scores` are of the codes that are read back."""

    def green(codes: Ints) -> float:
        return float(np.mean(mark.colours(codes, list_id)))

    pairs = ((views.marked, views.input), (views.seen, views.plain), (views.plain, views.given))
    costs = {
        metric.name: value
        for metrics, pair in zip(LIKENESS.values(), pairs, strict=True)
        for metric, value in zip(metrics, _likeness(*pair), strict=True)
    }
    return {
        "id": sample.id,
        "source_sha256": sample.sha256,
        "source_width": sample.source["size"][1],
        "source_height": sample.source["size"][0],
        "file": file,
        "sha256": hashlib.sha256(data).hexdigest(),
        "side": views.given.shape[0],
        "width": views.marked.shape[1],
        "height": views.marked.shape[0],
        "list_id": list_id,
        "codes": views.codes_plain.size,
        EXCHANGED.name: float(np.mean(views.codes_plain != views.codes_marked)),
        "green_before": green(views.codes_plain),
        GREEN_EMBEDDED.name: green(views.codes_marked),
        GREEN_READ_BACK.name: green(views.codes_again),
        "log10_p": float(scores.log_p[0]) / math.log(10),
        **costs,
    }


def _likeness(a: Pixels, b: Pixels) -> tuple[float | None, float | None]:
    """PSNR in dB (None for equal images, whose ratio is infinite) and SSIM (None where no window fits)."""
    error = mse(a, b)
    return (
        None if error == 0 else round(-10 * math.log10(error), 3),
        round(ssim(a, b), 5) if min(a.shape[:2]) >= SMALLEST else None,
    )
