"""The columns of a caption scoring's samples.parquet: one row for each image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from evalkit.metrics.bleu import COLUMNS
from evalkit.metrics.captions import DECLARED

CAPTION, REFERENCES = "caption", "references"
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("sha256", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        (CAPTION, pa.string()),
        (REFERENCES, pa.int32()),
        *((name, pa.int32()) for name in COLUMNS),
        *((metric.name, pa.float64()) for metric in DECLARED),
        ("error", pa.string()),
    ]
)


def table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows (missing columns are null) as a table of the schema."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)
