import json
import shutil

import pytest

from evalkit.errors import EvalkitError
from evalkit.leaderboard.collect import chosen, collect


def test_figures_carry_values_bounds_and_samples(runs):
    path = runs.run("a", [1.0, 2.0, 6.0], row={"low": 1.0, "high": 5.0, "unit": "dB"})
    (figure,) = collect([path]).figures
    assert (figure.value, figure.low, figure.high, figure.unit, figure.terms.n) == (3.0, 1.0, 5.0, "dB", 3)
    assert figure.scores.values.tolist() == [1, 2, 6]


def test_infinite_and_missing_values_are_kept_apart(runs):
    rows = [runs.result("psnr", "inf", 3), runs.result("fid", None, 0), runs.result("ssim", 0.5, 3, low="-inf")]
    infinite, missing, half = collect([runs.bare("a", rows)]).figures
    assert infinite.value == float("inf")
    assert (missing.value, missing.reason) == (None, "its weights are not here")
    assert half.low is None


def test_an_unfinished_run_is_one_sentence(runs):
    with pytest.raises(EvalkitError, match="an unfinished run: type its command again"):
        collect([runs.run("a", [1.0], seal=False)])


@pytest.mark.parametrize("name", ["results.json", "samples.parquet"])
def test_a_changed_file_is_refused_by_its_name(runs, name):
    path = runs.run("a", [1.0, 2.0])
    data = bytearray((path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (path / name).write_bytes(data)
    with pytest.raises(EvalkitError, match=name):
        collect([path])


@pytest.mark.parametrize("content", ["{}", "[1]", "[{}]", "no json", '[{"metric": "psnr"'])
def test_results_that_are_none_are_refused(runs, content):
    path = runs.run("a", [1.0, 2.0])
    (path / "results.json").write_text(content)
    record = json.loads((path / "record.json").read_bytes())
    del record["files"]
    (path / "record.json").write_text(json.dumps(record))
    with pytest.raises(EvalkitError, match="not what evalkit wrote"):
        collect([path])


def test_a_run_without_samples_is_no_whole_run(runs):
    path = runs.run("a", [1.0])
    (path / "samples.parquet").unlink()
    with pytest.raises(EvalkitError, match=r"lacks samples\.parquet"):
        collect([path])


def test_a_copy_counts_once(runs):
    path = runs.run("a", [1.0, 2.0])
    shutil.copytree(path, path.with_name("b"))
    found = collect([path, path.with_name("b")])
    assert [each.name for each in found.entrants] == ["a"]
    assert found.copies == (path.with_name("b"),)


def test_runs_of_one_model_are_told_apart_by_their_folders(runs):
    paths = [runs.run("m", [1.0, 2.0], folder="one"), runs.run("m", [2.0, 2.0], folder="two"), runs.run("n", [0.0])]
    assert [each.name for each in collect(paths).entrants] == ["m · one", "m · two", "n"]


def test_folders_of_one_name_are_numbered(runs):
    paths = [runs.run("m", [float(i), 2.0], folder=f"{i}/same") for i in range(2)]
    assert [each.name for each in collect(paths).entrants] == ["m · same (1)", "m · same (2)"]


def test_parts_are_left_out_unless_asked_for(runs):
    rows = [runs.result("psnr", 1.5, 2), runs.result("psnr", 1.0, 1, dataset="photos[Greek]")]
    path = runs.run("a", [1.0, 2.0], results=rows)
    assert len(collect([path]).figures) == 1
    assert len(collect([path], parts=True).figures) == 2


@pytest.mark.parametrize("dataset", ["]", "photos[1]", "[x]", "a]b]"])
def test_a_data_set_may_be_called_as_parts_are(runs, dataset):
    runs.run("one", [1.0, 2.0, 3.0], results=[runs.result("psnr", 2.0, 3, dataset=dataset)])
    runs.run("two", [2.0, 3.0, 4.0], results=[runs.result("psnr", 3.0, 3, dataset=dataset)])
    assert [board.terms.dataset for board in runs.boards().boards] == [dataset]
    results = [runs.result("psnr", 2.0, 3, dataset=name) for name in (dataset, f"{dataset}[Latin]")]
    assert [row["dataset"] for row in chosen(results, parts=False)] == [dataset]
