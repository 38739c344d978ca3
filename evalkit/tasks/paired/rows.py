"""The columns of a paired scoring's samples.parquet: one row for each image of the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from evalkit.metrics.paired import OVER_IMAGES

SECONDS, EVALUATIONS = "seconds", "evaluations"
BASELINE = "_baseline"  # behind the name of a column: the baseline's
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("prompt_id", pa.string()),
        ("prompt", pa.string()),
        ("sha256", pa.string()),
        (f"sha256{BASELINE}", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        *((metric.name, pa.float64()) for metric in OVER_IMAGES),
        *((f"{name}{end}", pa.float64()) for name in (SECONDS, EVALUATIONS) for end in ("", BASELINE)),
        ("error", pa.string()),
    ]
)


def table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows (missing columns are null) as a table of the schema."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)
