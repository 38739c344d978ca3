"""The columns of a view consistency's samples.parquet: one row for each view, beside the next one of its sequence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from evalkit.metrics.tsed import TSED

MATCHES, MEDIAN = "matches", "median_distance"
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("cluster", pa.string()),
        ("next", pa.string()),
        ("sha256", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        (MATCHES, pa.int32()),
        (MEDIAN, pa.float64()),
        (TSED.name, pa.float64()),
        ("error", pa.string()),
    ]
)


def table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows (missing columns are null) as a table of the schema."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)
