"""The columns of a scoring's samples.parquet: one row for each image of both sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from evalkit.arrow import table_of_rows
from evalkit.metrics.sets.names import image_metrics

IMAGES, REFERENCE = "images", "reference"  # the values of `side`
CONTRIBUTION = "contribution"  # of an image to the first Fréchet distance; it goes away with the image
MAP = ("map_x", "map_y")  # where an image lies on the two axes along which the reference varies most


def schema() -> pa.Schema:
    """Which set an image is of, its content and class, its scores, and why it failed."""
    return pa.schema(
        [
            ("id", pa.string()),
            ("side", pa.string()),
            ("sha256", pa.string()),
            ("height", pa.int32()),
            ("width", pa.int32()),
            ("label", pa.string()),
            ("prompt", pa.string()),
            *((metric.name, pa.float64()) for metric in image_metrics()),
            (CONTRIBUTION, pa.float64()),
            *((name, pa.float64()) for name in MAP),
            ("error", pa.string()),
        ]
    )


def table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows (missing columns are null) as a table of the schema."""
    return table_of_rows(rows, schema())
