import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from evalkit.cli import group
from evalkit.cli.show_query import _fitting, _once, show_rows
from evalkit.errors import EvalkitError
from evalkit.runs.query import Answer


@pytest.fixture
def runs(tmp_path, monkeypatch):
    for name, values in {"x": [20.0, float("inf")], "y": [float("nan"), 30.0]}.items():
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"id": ['=1+"a"', "\x1b[31mred\u202e"], "psnr": values}), folder / "samples.parquet")
        (folder / "record.json").write_text(json.dumps({"model": {"name": f"m-{name}"}}))
        (folder / "results.json").write_text("[]")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def run(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(group, ["query", *arguments])
    assert done.exit_code == code, done.output
    return done


def test_a_table_of_the_runs_in_the_folder_runs(runs):
    said = run("select model, count(*) as n from samples group by model order by model").stdout
    assert [line.split() for line in said.splitlines() if "m-" in line] == [["m-x", "2"], ["m-y", "2"]]


def test_json_holds_every_row_and_no_number_that_json_lacks(runs):
    rows = json.loads(run("select model, psnr, [psnr] as l from samples order by model, id", "--json").stdout)
    assert [row["psnr"] for row in rows] == ["inf", 20.0, 30.0, None]
    assert rows[0]["l"] == ["inf"]


def test_json_of_no_rows_is_a_list(runs):
    assert json.loads(run("select id from samples where false", "--json").stdout) == []


def test_csv_is_read_back_as_it_was_written_but_for_formulas_and_characters_that_act(runs):
    said = run("select id, psnr from samples where run = 'x' order by psnr", "--csv").stdout
    assert list(csv.reader(io.StringIO(said, newline=""))) == [
        ["id", "psnr"],
        [''''=1+"a"''', "20.0"],
        [r"\x1b[31mred\u202e", "inf"],
    ]


def test_repeated_names_lose_no_column(runs):
    (row,) = json.loads(run("select 1 as a, 2 as a, 3 as a_2, 4 as a", "--json").stdout)
    assert list(row.values()) == [1, 2, 3, 4]


def test_values_of_any_type_are_json(runs):
    sql = (
        "select date '2026-01-02' d, timestamp '2026-01-02 03:04:05' t, 1.5::decimal(4,2) c, {'a': [1, null]} s, "
        "'ab'::blob b, true y, 170141183460469231731687303715884105727::hugeint h, uuid() is not null u, interval 1 day i"
    )
    (row,) = json.loads(run(sql, "--json").stdout)
    assert row["d"] == "2026-01-02"
    assert row["t"] == "2026-01-02T03:04:05"
    assert row["c"] == 1.5
    assert row["s"] == {"a": [1, None]}
    assert row["b"] == "6162"
    assert row["y"] is True
    assert row["u"] is True
    assert run(sql).exit_code == 0


def test_characters_that_act_are_seen_in_the_table(runs):
    said = run("select id from samples").stdout
    assert "\x1b[31m" not in said
    assert "\u202e" not in said
    assert "\\x1b[31mred\\u202e" in said


def test_a_long_answer_is_cut_and_says_so(runs):
    done = run("select range as k from range(60)")
    assert "the first 50 rows" in done.stderr
    assert " 49 " in done.stdout
    assert " 50 " not in done.stdout
    assert json.loads(run("select range as k from range(60)", "--json").stdout)[-1] == {"k": 59}


def test_an_answer_without_rows_says_so(runs):
    assert "no rows" in run("select id from samples where false").stderr


def test_a_pipe_gets_whole_rows_whatever_their_width(runs):
    said = run("select repeat('x', 40) a, repeat('y', 40) b, repeat('z', 40) c from runs").stdout
    assert any("x" * 40 in line and "y" * 40 in line and "z" * 40 in line for line in said.splitlines())


def test_columns_that_do_not_fit_a_terminal_are_named(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    batch = pa.record_batch({f"c{k}": ["v" * 12] for k in range(12)})
    show_rows(Answer(tuple(batch.schema.names), iter([batch])))
    out, err = capsys.readouterr()
    assert "c3" in out
    assert "c4" not in out
    assert err.startswith("8 columns do not fit: c4, c5, c6, c7, c8, c9, …; select fewer")


def test_one_column_is_always_shown():
    assert _fitting([500, 3], 80) == 1
    assert _fitting([10, 10, 10], 39) == 3


def test_names_are_made_unique_without_hitting_another():
    assert _once(["a", "a", "a_2"]) == ["a", "a_2", "a_2_2"]


def test_without_sql_the_tables_and_columns_are_said(runs):
    said = run().stdout
    assert "samples: a row per image and protocol" in said
    assert "psnr (double)" in said
    assert set(json.loads(run("--json").stdout)) == {"runs", "samples", "results"}


def test_left_out_runs_are_named_on_standard_error(runs):
    (runs / "y" / "samples.parquet").write_bytes(b"no")
    (runs / "z").mkdir()
    (runs / "z" / "plan.json").write_text("{}")
    done = run("select run from runs", "--json")
    assert json.loads(done.stdout) == [{"run": "x"}]
    assert "left out, samples.parquet cannot be read: runs/y" in done.stderr
    assert "left out, unfinished: runs/z" in done.stderr


def test_chosen_runs_alone_are_asked(runs):
    assert json.loads(run("select run from runs", "--runs", str(runs / "y"), "--json").stdout) == [{"run": "y"}]


def test_mistakes_end_without_a_traceback(runs):
    assert "one of them" in run("select 1", "--json", "--csv", code=2).stderr
    done = CliRunner().invoke(group, ["query", "select 1", "--runs", "nowhere"])
    assert isinstance(done.exception, EvalkitError)
    assert "nowhere is not there" in str(done.exception)
