"""No reader believes a run that was changed after sealing."""

import json

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.jsonio import pretty_json
from evalkit.leaderboard.collect import collect
from evalkit.pages.view import write_view
from evalkit.runs.query import RunTables
from evalkit.runs.store import read_run
from evalkit.tasks.tokenizer import evaluate_tokenizer

SAID = "was changed after sealing"


def made(folder):
    return evaluate_tokenizer(
        "jpeg-q75", "sample/photos", tasks=["reconstruction"], options=RunOptions(out=folder, limit=2, keep="none")
    )


@pytest.fixture
def run(tmp_path):
    made(tmp_path / "run")
    return tmp_path / "run"


def renamed(run):
    record = json.loads((run / "record.json").read_bytes())
    record["model"]["name"] = "gigatok"
    (run / "record.json").write_bytes(pretty_json(record))


def better_result(run):
    rows = json.loads((run / "results.json").read_bytes())
    rows[0]["value"] = 99.0
    (run / "results.json").write_bytes(pretty_json(rows))


def better_rows(run):
    table = pq.read_table(run / "samples.parquet")
    at = table.schema.get_field_index("psnr")
    pq.write_table(table.set_column(at, "psnr", pc.add(table["psnr"], 9.0)), run / "samples.parquet")


CHANGES = [(renamed, "record.json"), (better_result, "results.json"), (better_rows, "samples.parquet")]


@pytest.mark.parametrize(("change", "name"), CHANGES)
def test_report_view_query_leaderboard_and_resuming_refuse_a_changed_run(change, name, run, tmp_path):
    change(run)
    for reader in (read_run, made, lambda run: write_view([run], tmp_path / "view"), lambda run: collect([run])):
        with pytest.raises(EvalkitError, match=f"{name} {SAID}"):
            reader(run)
    with pytest.raises(EvalkitError, match=f"{name} {SAID}"):
        RunTables([run])


def test_a_missing_file_is_a_change(run):
    (run / "results.json").unlink()
    with pytest.raises(EvalkitError, match=SAID):
        read_run(run)


def test_records_without_digests_are_read_as_before(run):
    record = json.loads((run / "record.json").read_bytes())
    del record["digest"], record["files"]
    (run / "record.json").write_bytes(pretty_json(record))
    assert read_run(run).results
