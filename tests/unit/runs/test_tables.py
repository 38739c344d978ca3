"""Tables of runs are found wherever the user put them."""

import os

import pyarrow as pa
import pytest

from evalkit.runs.tables import columns_of, count_of, rows_of, table_of, write_tables

TABLE = pa.table({"id": ["a", "b"], "n": [1, 2]})


@pytest.mark.parametrize("folder", ["x:y", "http:", os.fsdecode(b"\xff\xfe"), "a\nb", "s3:", "%20", "?"])
def test_a_table_is_written_and_read_in_a_folder_of_any_name(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    os.mkdir(folder)
    path = type(tmp_path)(folder) / "rows.parquet"  # relative, so that a colon is not behind a slash
    write_tables(path, [TABLE, TABLE], TABLE.schema)
    assert table_of(path) == pa.concat_tables([TABLE, TABLE])
    assert (count_of(path), columns_of(path)) == (4, TABLE.schema)
    assert list(rows_of(path, 3)) == [*TABLE.to_pylist()] * 2


def test_no_tables_are_a_table_without_rows(tmp_path):
    write_tables(tmp_path / "rows.parquet", [], TABLE.schema)
    assert table_of(tmp_path / "rows.parquet") == TABLE.schema.empty_table()
