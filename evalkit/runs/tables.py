"""Reading and writing the tables of runs; others may have made them, so each error of a reader is one sentence.

Files are opened here: pyarrow takes a path with a colon for an address, and knows none that is not UTF-8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.errors import DAMAGED, EvalkitError


def columns_of(path: Path) -> pa.Schema:
    """The columns of a Parquet file."""
    try:
        with _opened(path) as file:
            return file.schema_arrow
    except (OSError, pa.ArrowException, MemoryError, *DAMAGED) as error:
        raise _unreadable(path, error) from None


def count_of(path: Path) -> int:
    """The number of rows of a Parquet file."""
    try:
        with _opened(path) as file:
            return int(file.metadata.num_rows)
    except (OSError, pa.ArrowException, MemoryError, *DAMAGED) as error:
        raise _unreadable(path, error) from None


def table_of(path: Path, wanted: Sequence[str] | None = None) -> pa.Table:
    """The rows of a Parquet file, with those of the columns `wanted` that it has, or with all."""
    try:
        with _opened(path) as file:
            return file.read(None if wanted is None else [name for name in wanted if name in file.schema_arrow.names])
    except (OSError, pa.ArrowException, MemoryError, *DAMAGED) as error:
        raise _unreadable(path, error) from None


def rows_of(path: Path, together: int) -> Iterator[dict[str, Any]]:
    """Every row of a Parquet file as plain data, `together` of them in memory."""
    try:
        with _opened(path) as file:
            for batch in file.iter_batches(batch_size=together):
                yield from batch.to_pylist()
    except (OSError, pa.ArrowException, MemoryError, *DAMAGED) as error:
        raise _unreadable(path, error) from None


def write_tables(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Tables of one schema below each other; `schema` is that of a file without any. Raises `OSError`."""
    rest = iter(tables)
    first = next(rest, pa.Table.from_batches([], schema))  # `empty_table` would import pandas
    with path.open("wb") as stream, pq.ParquetWriter(stream, first.schema) as writer:
        writer.write_table(first)
        for table in rest:
            writer.write_table(table)


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    with path.open("rb") as stream, pq.ParquetFile(stream) as file:
        yield file


def _unreadable(path: Path, error: BaseException) -> EvalkitError:
    reason = (str(getattr(error, "strerror", None) or error).splitlines() or [type(error).__name__])[0][:120]
    return EvalkitError(f"{path} cannot be read ({reason}). Check its run: evalkit verify {path.parent}")
