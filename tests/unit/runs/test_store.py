import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.errors import EvalkitError
from evalkit.runs.lock import Lock
from evalkit.runs.record import with_digest
from evalkit.runs.store import Result, RunStore, ShardOutput, read_run, results_json


def output(*ids: str) -> ShardOutput:
    return ShardOutput(pa.table({"id": list(ids)}), {"x": np.arange(3)}, {"a.png": b"png"})


def test_a_shard_appears_whole_and_is_read_back(tmp_path):
    store = RunStore(tmp_path / "run")
    store.begin({"a": 1})
    assert not store.has("000000")
    store.put("000000", output("p", "q"))
    assert store.has("000000")
    parts = store.parts(["000000"])
    assert next(parts.tables())["id"].to_pylist() == ["p", "q"]
    assert next(parts.arrays())["x"].tolist() == [0, 1, 2]
    store.place(["000000"])
    assert (store.path / "a.png").read_bytes() == b"png"


@pytest.mark.parametrize("name", ["rows.parquet", "arrays.npz", "about.json"])
def test_a_shard_whose_bytes_changed_is_done_again(tmp_path, name):
    store = RunStore(tmp_path / "run")
    store.begin({})
    store.put("000000", output("p"))
    file = store.shards / "000000" / name
    file.write_bytes(file.read_bytes()[:-7])
    again = RunStore(tmp_path / "run")
    assert not again.has("000000")
    again.put("000000", output("p"))
    assert again.has("000000")


def test_the_second_writer_of_a_shard_does_no_harm(tmp_path):
    store = RunStore(tmp_path / "run")
    store.begin({})
    store.put("000000", output("p"))
    store.put("000000", output("p"))
    assert sorted(path.name for path in store.shards.iterdir()) == ["000000"]


def test_half_written_shards_are_swept_at_the_next_start(tmp_path):
    store = RunStore(tmp_path / "run")
    store.begin({"a": 1})
    (store.shards / ".writing-000003-dead").mkdir()
    store.begin({"a": 1})
    assert list(store.shards.iterdir()) == []


def test_a_file_that_a_kill_left_half_written_is_no_file_of_the_sealed_run(tmp_path):
    store = RunStore(tmp_path / "run")
    store.begin({"a": 1})
    left = [store.path / ".writing-77-dead", store.path / "statistics" / ".writing-77-dead"]
    for file in left:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"half")
    again = RunStore(store.path)
    again.begin({"a": 1})
    again.write([], [], {"statistics/codes.npz": b"whole"}, pa.schema([("id", pa.string())]))
    again.seal({"task": "t"})
    again.settle()
    assert not any(file.exists() for file in left)
    assert set(read_run(store.path).record["files"]) == {
        "plan.json",
        "results.json",
        "samples.parquet",
        "statistics/codes.npz",
    }


def written(store, *keys):
    store.write(store.parts(keys).tables(), [], {}, pa.schema([("id", pa.string())]))
    return pq.read_table(store.path / "samples.parquet")


def test_samples_are_written_in_plan_order_whatever_the_order_of_arrival(tmp_path):
    store = RunStore(tmp_path / "run")
    store.begin({})
    store.put("000001", output("c"))
    store.put("000000", output("a", "b"))
    assert written(store, "000000", "000001")["id"].to_pylist() == ["a", "b", "c"]


def test_another_plan_in_the_folder_is_refused(tmp_path):
    store = RunStore(tmp_path / "run")
    store.begin({"a": 1})
    store.begin({"a": 3})  # nothing was done yet, so nothing is lost
    store.put("000000", ShardOutput(pa.table({"n": [1]})))
    with pytest.raises(EvalkitError, match=r"another run \(a 3, now 2\)"):
        RunStore(tmp_path / "run").begin({"a": 2})


def test_a_folder_with_other_things_is_not_written_into(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(EvalkitError, match="not empty"):
        RunStore(tmp_path).begin({})


def test_an_empty_set_has_a_table_with_its_columns(tmp_path):
    store = RunStore(tmp_path / "run")
    store.begin({})
    assert written(store).column_names == ["id"]


def test_a_second_process_is_told_who_writes_the_folder(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from evalkit.runs.lock import Lock\n"
        "with Lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(EvalkitError, match=f"another process .*process {other.pid}"), Lock(tmp_path / "run"):
        pass
    other.kill()
    other.wait()
    with Lock(tmp_path / "run"):  # a kill gives it back
        pass


def test_sealing_marks_the_run_and_drops_the_shards(tmp_path):
    store = RunStore(tmp_path / "run")
    store.begin({})
    store.put("000000", output("a"))
    written(store, "000000")
    with pytest.raises(EvalkitError, match="unfinished"):
        read_run(store.path)
    store.seal({"task": "t"})
    assert store.sealed
    store.settle()
    assert not store.shards.exists()
    record = read_run(store.path).record
    assert record["task"] == "t"
    assert sorted(record["files"]) == ["plan.json", "results.json", "samples.parquet"]


def test_reading_where_no_run_is_says_so(tmp_path):
    with pytest.raises(EvalkitError, match="no run"):
        read_run(tmp_path)


def test_infinite_values_are_words_in_json():
    rows = [
        Result("t", "d", "psnr", float("inf"), float("-inf"), None, "m", 1, "dB", "higher", "p"),
        Result("t", "d", "psnr", 1.5, 1.0, 2.0, "m", 1, "dB", "higher", "p"),
    ]
    first, second = json.loads(results_json(rows))
    assert (first["value"], first["low"], first["high"]) == ("inf", "-inf", None)
    assert second["value"] == 1.5


def test_a_sealed_run_is_swept_when_it_is_opened_again(tmp_path):
    store = RunStore(tmp_path / "run")
    store.begin({})
    store.seal({})
    store.settle()
    store.shards.mkdir()
    store.begin({})
    assert not store.shards.exists()


def sealed(tmp_path):
    store = RunStore(tmp_path / "run")
    store.begin({})
    store.put("000000", output("a"))
    written(store, "000000")
    (store.path / "images" / "deep").mkdir(parents=True)
    (store.path / "images" / "deep" / "0.png").write_bytes(b"pixels")
    store.seal({"task": "t", "files": {"images/deep/0.png": "as the job says"}})
    store.settle()
    return store


def test_the_record_lists_every_file_and_itself(tmp_path):
    store = sealed(tmp_path)
    record = read_run(store.path).record
    there = {path.relative_to(store.path).as_posix() for path in store.path.rglob("*") if path.is_file()}
    assert set(record["files"]) == there - {"record.json"}
    assert record["files"]["images/deep/0.png"] == "as the job says"
    assert record["files"]["results.json"] == hashlib.sha256((store.path / "results.json").read_bytes()).hexdigest()
    assert with_digest(record) == record
    assert with_digest({**record, "task": "u"})["digest"] != record["digest"]


def test_a_page_is_listed_once_and_never_in_a_signed_run(tmp_path):
    store = sealed(tmp_path)
    page = store.path / "report.html"
    page.write_text("one")
    store.cover("report.html")
    first = read_run(store.path).record["files"]["report.html"]
    page.write_text("two")
    store.cover("report.html")
    assert read_run(store.path).record["files"]["report.html"] == first
    store.cover("report.html", renew=True)
    assert read_run(store.path).record["files"]["report.html"] == hashlib.sha256(b"two").hexdigest()
    page.write_text("three")
    (store.path / "attestation.json").write_text("{}")
    before = (store.path / "record.json").read_bytes()
    store.cover("report.html", renew=True)
    assert (store.path / "record.json").read_bytes() == before


def test_a_folder_made_anew_is_listed_anew(tmp_path):
    store = sealed(tmp_path)
    (store.path / "wise").mkdir()
    (store.path / "wise" / "a.png").write_bytes(b"a")
    store.cover("wise", renew=True)
    (store.path / "wise" / "a.png").rename(store.path / "wise" / "b.png")
    store.cover("wise", renew=True)
    assert [name for name in read_run(store.path).record["files"] if "wise" in name] == ["wise/b.png"]
