"""Rows of a robustness run: an image of a set under an attack, as one contender sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from evalkit.arrow import table_of_rows
from evalkit.metrics.lpips import LPIPS as DISTANCES
from evalkit.metrics.psnr import PSNR
from evalkit.metrics.ssim import SSIM

NET = "alex"  # of LPIPS
LPIPS = "lpips"
METRICS = {PSNR.name: PSNR, SSIM.name: SSIM, LPIPS: DISTANCES[NET]}  # column: its declaration
QUALITY = tuple(METRICS)
NOTHING = "none"  # the images as they are, always the first attack
UNMARKED, MARKED, EMBEDDING = "unmarked", "marked", "embedding"

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source_sha256", pa.string()),
        ("position", pa.int32()),  # in its listing; also the number in its file name
        ("set", pa.string()),  # unmarked, marked, or embedding: the marked image against the unmarked one
        ("contender", pa.string()),  # null for an image that could not be read
        ("attack", pa.string()),
        ("log_p", pa.float64()),
        (PSNR.name, pa.float64()),  # dB, at most 100; the attacked image against what it was before
        (SSIM.name, pa.float64()),
        (LPIPS, pa.float64()),
        ("error", pa.string()),
    ]
)


def table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows (missing columns are null) as a table of the fixed schema."""
    return table_of_rows(rows, SCHEMA)


def image_path(name: str, position: int) -> str:
    """Where an image lies in the run folder; `name`: a contender, or "unmarked".

    >>> image_path("lbw-world-vq", 3)
    'pictures/lbw-world-vq/00003.png'
    """
    return f"pictures/{folder_name(name)}/{position:05d}.png"


def folder_name(name: str) -> str:
    """A contender's folder: its name with other signs for those that file systems dislike."""
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name).strip(".") or "contender"


def reason_of(error: Exception) -> str:
    """An error in one line of at most 300 characters.

    >>> reason_of(ValueError("out of paper\\nand more"))
    'out of paper'
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
