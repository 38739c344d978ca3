"""Features by content: a reference is looked at once, whichever sets are compared with it."""

import sqlite3
from pathlib import Path

import pytest

import evalkit
from evalkit.cli.score import score
from evalkit.encoders.kept_features import FILE
from evalkit.jobs.options import RunOptions
from evalkit.tasks.score import worker
from evalkit.weights.download import cache_folder

METRICS = ["fid", "precision"]


@pytest.fixture(autouse=True)
def network(colours, monkeypatch):
    """The FID network is one that costs nothing; its weights are found."""
    monkeypatch.setattr("evalkit.tasks.score.spec.find_weights", lambda name, given: Path(colours[0].partition("=")[2]))


@pytest.fixture
def looked(monkeypatch):
    """The sides of the images that were read, one entry an image."""
    sides, plain = [], worker.ScoreWorker._batches

    def heard(self, side, start, stop):
        for batch in plain(self, side, start, stop):
            sides.extend([side] * len(batch))
            yield batch

    monkeypatch.setattr(worker.ScoreWorker, "_batches", heard)
    return sides


def scored(out, *sets, **given):
    options = RunOptions(out=out, device="cpu")
    return evalkit.score(*sets, options=options, **{"metrics": METRICS, **given})


def rows_of(query, *values):
    with sqlite3.connect(cache_folder() / FILE) as database:
        return database.execute(query, values).fetchall()


def same_files(one, other):
    for file in ("results.json", "samples.parquet", "statistics/reference-2048.npz"):
        assert (one.path / file).read_bytes() == (other.path / file).read_bytes()


def test_a_second_set_against_the_same_reference_reads_no_reference_image(sets, tmp_path, looked):
    made, real = sets
    plain = scored(tmp_path / "plain", made, real, cache=False)
    scored(tmp_path / "first", real, metrics=["vendi"])
    looked.clear()
    run = scored(tmp_path / "second", made, real)
    assert looked == ["images"] * 14
    assert run.record["recalled"] == {"reference": 12}
    same_files(plain, run)


def test_only_images_that_are_new_are_read_and_the_order_stays(sets, tmp_path, looked):
    made, real = sets
    plain = scored(tmp_path / "plain", made, real, cache=False)
    scored(tmp_path / "first", made, real)
    rows_of("delete from evidence where rowid % 3 = 0")
    looked.clear()
    run = scored(tmp_path / "second", made, real)
    assert 0 < len(looked) < 26
    assert sum(run.record["recalled"].values()) == 26 - len(looked)
    same_files(plain, run)


@pytest.mark.parametrize(
    "change",
    [
        'evidence = replace(evidence, \'"float32": "\', \'"float32": "AAAA\')',
        "evidence = '{'",
        "evidence = replace(evidence, '\"height\": 24', '\"height\": 25')",
        "evidence = replace(evidence, 'float32', 'float16')",
    ],
)
def test_damaged_features_are_noticed_and_taken_again(sets, tmp_path, looked, change):
    made, real = sets
    plain = scored(tmp_path / "first", made, real)
    rows_of(f"update evidence set {change}")
    looked.clear()
    run = scored(tmp_path / "second", made, real)
    assert len(looked) == 26
    same_files(plain, run)
    assert scored(tmp_path / "third", made, real).record["recalled"] == {"images": 14, "reference": 12}


def test_a_file_that_is_no_cache_costs_time_only(sets, tmp_path):
    cache_folder().mkdir(parents=True, exist_ok=True)
    (cache_folder() / FILE).write_bytes(b"no database at all" * 100)
    assert scored(tmp_path / "run", *sets).record["recalled"] == {}


def test_another_protocol_or_network_does_not_take_them(sets, tmp_path, looked):
    made, real = sets
    for protocol in ("adm", "pytorch-fid"):
        looked.clear()
        scored(tmp_path / protocol, made, real, metrics=["fid"], protocol=protocol)
        assert len(looked) == 26


def test_no_cache_keeps_and_takes_nothing(sets, tmp_path):
    scored(tmp_path / "one", *sets, cache=False)
    assert not (cache_folder() / FILE).exists()
    scored(tmp_path / "two", *sets)
    assert scored(tmp_path / "three", *sets, cache=False).record["recalled"] == {}


def test_the_command_line_says_what_came_from_the_cache(sets, tmp_path, capsys):
    made, real = map(str, sets)
    command = ["--images", made, "--reference", real, "--metrics", "fid", "--device", "cpu", "--out"]
    for out in ("one", "two"):
        score.main([*command, str(tmp_path / out)], standalone_mode=False)
    said = capsys.readouterr().out
    assert said.count("reference: features of 12 of 12 images came from the cache") == 1
