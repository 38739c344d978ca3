"""The verbs compare, track and import: what they print, and their exit codes."""

import json

import pytest

from .conftest import write_run


def test_a_comparison_says_a_sentence_a_metric(run, two):
    code, out, err = run("compare", two / "b", two / "a")
    assert (code, err) == (0, "")
    assert out.startswith("a against b: 1 better")


@pytest.mark.parametrize(("order", "code"), [("ab", 3), ("ba", 0)])
def test_a_condition_that_fails_ends_with_three(run, two, order, code):
    ended, out, _ = run("compare", *(two / name for name in order), "--fail-if-worse", "psnr:0.5", "--markdown")
    assert ended == code
    assert ("\u274c" in out) is (code == 3)


def test_json_is_one_value_and_an_unknown_condition_is_two(run, two):
    code, out, _ = run("compare", two / "a", two / "b", "--json", "--metric", "psnr")
    assert code == 0
    assert json.loads(out)["pairs"][0]["outcome"] == "worse"
    code, _, err = run("compare", two / "a", two / "b", "--fail-if-worse", "ssim")
    assert code == 2
    assert "was not compared in ssim" in err


def test_a_training_is_tracked(run, tmp_path):
    for step in (1, 2, 3):
        write_run(tmp_path / "runs" / f"step-{step}", "m", [float(i % 7) + step for i in range(40)])
    code, out, err = run("track", tmp_path / "runs", "--metric", "psnr", "--out", tmp_path / "track")
    assert (code, err) == (0, "")
    assert "Step 3 has the highest value" in out
    assert (tmp_path / "track" / "track.csv").is_file()
    code, _, err = run("track", tmp_path / "runs", "--metric", "psnr", "--steps", "one")
    assert (code, "no numbers" in err) == (2, True)


def test_a_foreign_file_is_imported_and_another_one_refused(run, tmp_path):
    score = {"evaluation_name": "FID", "source_data": {"dataset_name": "COCO"}, "score_details": {"score": 7.5}}
    score |= {"metric_config": {"lower_is_better": True}}
    record = {"schema_version": "0.3.0", "evaluation_id": "1", "model_info": {"name": "theirs"}}
    record |= {"source_metadata": {"source_organization_name": "A lab"}, "evaluation_results": [score]}
    (tmp_path / "record.json").write_text(json.dumps(record))
    code, out, _ = run("import", tmp_path / "record.json", "--out", tmp_path / "run")
    assert code == 0
    assert "theirs, imported, not measured here" in out
    assert "fid on COCO: 7.500" in out
    code, _, err = run("import", tmp_path / "run" / "results.json", "--out", tmp_path / "other")
    assert (code, "no result file that is known" in err) == (2, True)
