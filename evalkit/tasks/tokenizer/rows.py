"""The columns of samples.parquet: one row for each sample and protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from evalkit.arrow import table_of_rows
from evalkit.metrics.registry import of_level

FIRST = (
    ("id", pa.string()),
    ("protocol", pa.string()),
    ("sha256", pa.string()),
    ("subset", pa.string()),
    ("task", pa.string()),
    ("script", pa.string()),
    ("height", pa.int32()),
    ("width", pa.int32()),
    ("codes", pa.int32()),
)


def schema() -> pa.Schema:
    """What a row says of the sample, then the columns of every declared metric, of its codes and of its pair."""
    columns = {name: pa.field(name, kind) for name, kind in FIRST}
    for metric in (*of_level("sample"), *of_level("pair")):
        columns |= {field.name: field for field in metric.columns}
    return pa.schema([*columns.values(), pa.field("error", pa.string())])


def table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows (missing columns are null) as a table of the schema."""
    return table_of_rows(rows, schema())
