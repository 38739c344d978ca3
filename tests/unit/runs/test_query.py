import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.runs.query import Limits, RunTables, query_runs


def make(folder: Path, model="m", samples=None, results=None, **record) -> Path:
    folder.mkdir(parents=True)
    pq.write_table(pa.table(samples or {"id": ["a", "b"], "psnr": [20.0, 30.0]}), folder / "samples.parquet")
    facts = {"task": "tokenizer", "model": {"name": model}, "data": {"name": "sample", "n": 2}, "seed": 0, **record}
    (folder / "record.json").write_text(json.dumps(facts))
    default = [{"metric": "psnr", "value": 25.0, "low": 20.0, "high": 30.0, "n": 2, "protocol": "evalkit-1"}]
    (folder / "results.json").write_text(json.dumps(default if results is None else results))
    return folder


def asked(sql: str, *runs: Path) -> list[tuple]:
    table = query_runs(sql, runs)
    return [tuple(row.values()) for row in table.to_pylist()]


def test_samples_of_all_runs_stand_in_one_table_with_their_run_and_model(tmp_path):
    make(tmp_path / "runs/x", "one")
    make(tmp_path / "runs/y", "two", {"id": ["a"], "psnr": [40.0]})
    found = asked("select run, model, id, psnr from samples order by all", tmp_path / "runs")
    assert found == [("x", "one", "a", 20.0), ("x", "one", "b", 30.0), ("y", "two", "a", 40.0)]


def test_runs_with_other_columns_are_joined_by_name_and_miss_the_rest(tmp_path):
    make(tmp_path / "x", samples={"id": ["a"], "psnr": [1.0]})
    make(tmp_path / "y", samples={"ssim": [0.5], "id": ["b"], "psnr": pa.nulls(1)})
    found = asked("select id, psnr, ssim from samples order by id", tmp_path)
    assert found == [("a", 1.0, None), ("b", None, 0.5)]


def test_columns_that_are_named_as_evalkits_own_are_kept_under_another_name(tmp_path):
    make(tmp_path / "x", "m", {"id": ["a"], "model": ["inner"], "Run": [7]})
    assert asked("select model, sample_model, sample_run from samples", tmp_path) == [("m", "inner", 7)]


def test_results_are_rows_with_numbers_and_infinity_is_one(tmp_path):
    make(tmp_path / "x", results=[{"metric": "psnr", "value": "inf", "low": None, "high": 3, "n": 2, "new": [1]}])
    found = asked("select metric, value, low, high, n, status, new from results", tmp_path)
    assert found == [("psnr", float("inf"), None, 3.0, 2, None, "[1]")]


def test_facts_of_the_record_are_columns_and_the_rest_is_json_without_the_digests_of_files(tmp_path):
    make(
        tmp_path / "x",
        protocols=[{"id": "evalkit-1"}, {"id": "vtbench-2025"}],
        files={"a": "b"},
        timings={"wall_seconds": 2.5},
    )
    found = asked("select run, protocols, samples, wall_seconds, record->'data'->>'name' from runs", tmp_path)
    assert found == [("x", ["evalkit-1", "vtbench-2025"], 2, 2.5, "sample")]
    assert asked("select record->>'files' from runs", tmp_path) == [(None,)]


def test_a_record_with_nothing_in_it_is_a_row_of_nulls(tmp_path):
    run = make(tmp_path / "x")
    (run / "record.json").write_text('{"model": "a name", "seed": "none", "timings": null}')
    assert asked("select run, model, seed, task, protocols from runs", tmp_path) == [("x", None, None, None, [])]


def test_unfinished_and_broken_runs_are_left_out_and_named(tmp_path):
    make(tmp_path / "good")
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished/plan.json").write_text("{}")
    for name, file in {"r": "record.json", "s": "samples.parquet", "t": "results.json"}.items():
        (make(tmp_path / name) / file).write_bytes(b"{[")
    (make(tmp_path / "u") / "results.json").write_text("[1]")
    (make(tmp_path / "v") / "record.json").write_text("[]")
    with RunTables([tmp_path]) as tables:
        left = {each.path.name: each.reason for each in tables.left_out}
        rows = list(tables.ask("select run, count(*) from samples group by run").rows())
    assert rows == [("good", 2)]
    assert left == {
        "unfinished": "unfinished",
        "r": "record.json cannot be read",
        "s": "samples.parquet cannot be read",
        "t": "results.json cannot be read",
        "u": "results.json holds something that is no result",
        "v": "record.json holds no object",
    }


def test_where_no_run_is_left_the_first_reason_is_said(tmp_path):
    (make(tmp_path / "x") / "samples.parquet").unlink()
    with pytest.raises(EvalkitError, match=r"no run can be read; the first: .*x: samples.parquet cannot be read"):
        RunTables([tmp_path])


@pytest.mark.parametrize("name", ["a[1]*", "it's", "task=3", "ünï ؀", 'q"u', "a?b", "-- c", "{x}"])
def test_any_name_of_a_folder_names_that_folder_alone(tmp_path, name):
    run = make(tmp_path / name, "one")
    make(tmp_path / "a1b", "two")
    assert asked("select distinct run, model from samples", run) == [(name, "one")]


def test_a_run_whose_name_is_no_text_is_read_and_its_name_is_written_out(tmp_path):
    make(tmp_path / "good", "one")
    try:
        make(tmp_path / "bad", "two").rename(tmp_path / os.fsdecode(b"bad\xff"))
    except OSError:
        pytest.skip("this file system takes no such name")
    with RunTables([tmp_path]) as tables:
        assert tables.left_out == []
        found = set(tables.ask("select distinct run, model from samples").rows())
        assert found == {("good", "one"), ("bad\\udcff", "two")}
        assert set(tables.ask("select run from runs").rows()) == {("good",), ("bad\\udcff",)}


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('{}')",
        "select * from read_text('{}')",
        "select * from read_blob('{}')",
        "select * from '{}'",
        "select * from glob('{}')",
        "select * from read_parquet('http://127.0.0.1:9/x.parquet')",
        "with a as (select * from read_csv('{}')) select * from a",
    ],
)
def test_no_file_but_the_samples_can_be_read(tmp_path, sql):
    run = make(tmp_path / "x")
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with pytest.raises(EvalkitError, match="asks for more than the runs"):
        query_runs(sql.format(secret), [run])


@pytest.mark.parametrize(
    "sql",
    [
        "copy samples to '{}'",
        "copy (select 1) to '{}' (format parquet)",
        "export database '{}'",
        "attach '{}' as other",
        "create table x as select 1",
        "drop view samples",
        "delete from runs",
        "insert into runs select * from runs",
        "update runs set run = 'z'",
        "set lock_configuration = false",
        "set enable_external_access = true",
        "pragma enable_external_access",
        "install httpfs",
        "load httpfs",
        "call pragma_version()",
        "explain analyze copy samples to '{}'",
        "checkpoint",
    ],
)
def test_nothing_can_be_written_or_set(tmp_path, sql):
    run = make(tmp_path / "x")
    before = {path: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(EvalkitError, match=r"runs are only read|there is no function|asks for more than the runs"):
        query_runs(sql.format(run / "samples.parquet"), [run])
    with pytest.raises(EvalkitError, match=r"runs are only read|there is no function|asks for more than the runs"):
        query_runs(sql.format(tmp_path / "new"), [run])
    assert {path: path.read_bytes() for path in run.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x"]


@pytest.mark.parametrize(
    "sql",
    [
        "from enable_logging(storage = 'file', storage_path = '{}')",
        "from enable_profiling()",
        "select * from query('copy runs to ~{}~')",
        "from json_execute_serialized_sql(json_serialize_sql('select * from read_text(~{}~)'))",
    ],
)
def test_a_select_that_would_set_or_write_something_does_not(tmp_path, sql):
    run = make(tmp_path / "x")
    with pytest.raises(EvalkitError):
        query_runs(sql.format(tmp_path / "new").replace("~", 2 * "'"), [run])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x"]


def test_variables_of_python_are_no_tables(tmp_path):
    secret = pa.table({"a": [1]})
    assert secret.num_rows == 1
    with pytest.raises(EvalkitError, match="no table secret"):
        query_runs("select * from secret", [make(tmp_path / "x")])


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select psn from samples", r'no column "psn".*near it are "psnr".*; samples has run, path, model, id, psnr$'),
        ("select valu from results", r"results has run, path, model, task, dataset, metric, value"),
        ("select a.x from runs a join results b using (run)", r"runs has run.*; results has run"),
        ("select * from sample", r"no table sample; the tables are runs, samples and results$"),
        ("select nosuch(1)", r"no function nosuch"),
        ("selec 1", r"syntax error at or near \"selec\"$"),
        ("select 1; select 2", r"holds 2 statements; give one"),
        ("", r"holds 0 statements"),
        ("select sum(id) from samples", r"No function matches.*; samples has"),
        ("select id::int from samples", r"Could not convert string 'a' to INT32"),
    ],
)
def test_a_mistake_is_one_sentence_with_the_names_that_exist(tmp_path, sql, said):
    with pytest.raises(EvalkitError, match=said) as caught:
        query_runs(sql, [make(tmp_path / "x")])
    assert "\n" not in str(caught.value)


def test_an_answer_without_rows_has_its_columns(tmp_path):
    table = query_runs("select id, psnr from samples where psnr > 99", [make(tmp_path / "x")])
    assert table.column_names == ["id", "psnr"]
    assert table.num_rows == 0


def test_the_tables_can_be_described_and_hold_nothing_else(tmp_path):
    run = make(tmp_path / "x")
    assert asked("show tables", run) == [("results",), ("runs",), ("samples",)]
    assert {row[0] for row in asked("summarize samples", run)} == {"run", "path", "model", "id", "psnr"}
    with RunTables([run]) as tables:
        assert tables.columns("samples") == dict.fromkeys(("run", "path", "model", "id"), "VARCHAR") | {
            "psnr": "DOUBLE"
        }


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.floats(allow_nan=False, width=32), min_size=1, max_size=5), min_size=1, max_size=5))
def test_every_value_of_every_run_is_there_once(tmp_path_factory, values):
    base = tmp_path_factory.mktemp("runs")
    for k, each in enumerate(values):
        make(base / f"r{k}", samples={"id": [str(n) for n in range(len(each))], "v": each})
    found = asked("select run, id, v from samples", base)
    assert sorted(found) == sorted((f"r{k}", str(n), v) for k, each in enumerate(values) for n, v in enumerate(each))


def test_damage_inside_a_file_is_an_error_in_words(tmp_path):
    run = make(tmp_path / "x", samples={"id": [f"sample {n} of many" for n in range(50_000)]})
    data = bytearray((run / "samples.parquet").read_bytes())
    data[1000 : len(data) // 2] = bytes(255 - byte for byte in data[1000 : len(data) // 2])
    (run / "samples.parquet").write_bytes(data)
    with pytest.raises(EvalkitError, match="the runs cannot be read: ") as caught:
        query_runs("select id from samples", [run])
    assert "\n" not in str(caught.value)


HOSTILE = [
    "with x as (copy (select 1) to '{}') select * from x",
    "with x as (copy samples to '{}' (format parquet)) select * from x",
    "with x as (insert into runs select * from runs returning *) select * from x",
    "with x as (update runs set run = 'z' returning *) select * from x",
    "with x as (delete from results returning *) select * from x",
    "with x as (create table y as select 1) select * from x",
    "select * from (copy (select 1) to '{}')",
    "copy samples to '{}'",
    "copy (select 1) to '{}' (format parquet, overwrite true)",
    "copy runs from '{}'",
    "copy (select 1 as a) to '{}' (format parquet, partition_by (a))",
    "export database '{}'",
    "import database '{}'",
    "attach '{}' as other",
    "attach '{}' as other (type sqlite)",
    "detach memory",
    "create table x as select 1",
    "create temp table x as select 1",
    "create or replace view samples as select 1",
    "create macro f() as 1",
    "create secret s (type s3)",
    "create persistent secret s (type s3)",
    "drop table samples",
    "alter table runs add column x integer",
    "truncate runs",
    "delete from runs",
    "insert into runs select * from runs",
    "update runs set run = 'z'",
    "set lock_configuration = false",
    "reset lock_configuration",
    "set enable_external_access = true",
    "set temp_directory = '{}'",
    "set global memory_limit = '1TB'",
    "pragma enable_external_access",
    "pragma profiling_output = '{}'",
    "install httpfs",
    "load '{}'",
    "force install httpfs",
    "explain analyze copy samples to '{}'",
    "explain analyze insert into runs select * from runs",
    "explain analyze create table z as select 1",
    "prepare p as copy samples to '{}'",
    "checkpoint",
    "vacuum",
    "begin transaction",
    "commit",
    "select * from read_text('{}')",
    "select * from write_csv('{}')",
    "from enable_logging(storage = 'file', storage_path = '{}')",
    "from enable_profiling(save_location = '{}')",
    "from checkpoint('memory'), query('copy runs to ~{}~')",
]


def test_no_hostile_statement_changes_or_creates_a_file_or_a_row(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run = make(tmp_path / "runs" / "x")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with RunTables([run]) as tables:
        rows = [list(tables.ask(f"select * from {name}").rows()) for name in ("runs", "samples", "results")]
        for sql in HOSTILE:
            for target in (run / "samples.parquet", tmp_path / "runs" / "new", "new"):
                with pytest.raises(EvalkitError) as caught:
                    list(tables.ask(sql.format(target).replace("~", "''")).rows())
                assert "\n" not in str(caught.value)
        again = [list(tables.ask(f"select * from {name}").rows()) for name in ("runs", "samples", "results")]
    assert again == rows
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "sql",
    [
        "pivot samples on id using avg(psnr) group by run",
        "from samples pivot (avg(psnr) for id in ('a', 'b'))",
        "unpivot (select psnr from samples) on psnr",
        "explain select * from samples",
        "explain analyze select avg(psnr) from samples",
        "summarize samples",
        "describe samples",
    ],
)
def test_a_query_that_only_reads_is_allowed(tmp_path, sql):
    with RunTables([make(tmp_path / "x")]) as tables:
        assert list(tables.ask(sql).rows())


def test_an_answer_read_in_part_neither_blocks_the_next_nor_is_spoiled_by_it(tmp_path):
    run = make(tmp_path / "x", samples={"id": [str(n) for n in range(50_000)]})
    with RunTables([run]) as tables:
        first = tables.ask("select id from samples").rows()
        next(first)
        assert list(tables.ask("select count(*) from samples").rows()) == [(50_000,)]
        assert sum(1 for _ in first) == 49_999


def test_a_query_beyond_its_time_or_memory_is_stopped_with_a_sentence(tmp_path):
    run = make(tmp_path / "x")
    with RunTables([run], Limits(seconds=0.3)) as tables, pytest.raises(EvalkitError, match=r"more than 0.3 s"):
        list(
            tables.ask("select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 7 = 3").rows()
        )
    big = "select list(range::varchar || repeat('x', 1000)) from range(1000000)"
    with RunTables([run], Limits(memory="64MB")) as tables, pytest.raises(EvalkitError, match="more memory than 64MB"):
        list(tables.ask(big).rows())


def test_a_query_that_a_signal_ends_is_an_interruption(tmp_path, monkeypatch):
    def interrupted(cursor, sql):
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr("evalkit.runs.query._reader", interrupted)
    with pytest.raises(KeyboardInterrupt):
        query_runs("select 1", [make(tmp_path / "a")])
