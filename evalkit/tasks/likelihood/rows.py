"""The columns of a likelihood's samples.parquet: one row for each image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from evalkit.metrics.likelihood import DECLARED

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("sha256", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("prompt_id", pa.string()),
        ("prompt", pa.string()),
        ("class_id", pa.int32()),
        ("codes", pa.int32()),
        *((metric.name, pa.float64()) for metric in DECLARED),
        ("error", pa.string()),
    ]
)


def table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows (missing columns are null) as a table of the schema."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)
