"""Reading the tables of runs that others may have made: each error of a reader is one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.errors import DAMAGED, EvalkitError


def columns_of(path: Path) -> pa.Schema:
    """The columns of a Parquet file."""
    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowException, MemoryError, *DAMAGED) as error:
        raise _unreadable(path, error) from None


def count_of(path: Path) -> int:
    """The number of rows of a Parquet file."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException, MemoryError, *DAMAGED) as error:
        raise _unreadable(path, error) from None


def table_of(path: Path, wanted: Sequence[str] | None = None) -> pa.Table:
    """The rows of a Parquet file, with those of the columns `wanted` that it has, or with all."""
    try:
        with pq.ParquetFile(path) as file:
            return file.read(None if wanted is None else [name for name in wanted if name in file.schema_arrow.names])
    except (OSError, pa.ArrowException, MemoryError, *DAMAGED) as error:
        raise _unreadable(path, error) from None


def rows_of(path: Path, together: int) -> Iterator[dict[str, Any]]:
    """Every row of a Parquet file as plain data, `together` of them in memory."""
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=together):
                yield from batch.to_pylist()
    except (OSError, pa.ArrowException, MemoryError, *DAMAGED) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: BaseException) -> EvalkitError:
    reason = (str(getattr(error, "strerror", None) or error).splitlines() or [type(error).__name__])[0][:120]
    return EvalkitError(f"{path} cannot be read ({reason}). Check its run: evalkit verify {path.parent}")
