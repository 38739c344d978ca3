"""Result files of official scripts: written from a run, read back into the same scores; broken ones are refused."""

import csv
import io
import json

import pytest
from helpers.judged import WORDS, ScriptedJudge, small_data, small_images

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.provenance.verify import verify_run
from evalkit.tasks.probe import probe
from evalkit.tasks.probe.judged.options import JudgeOptions


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr("evalkit.tasks.probe.judged.items._check_files", lambda said, folder: None)


def made(name, good, folder):
    data = small_data(name, folder / "data")
    images = small_images(name, data, folder / "images")
    judging = JudgeOptions(judge=ScriptedJudge(good), data=data, replies=folder / "r.jsonl", tries=1)
    return data, probe(
        name, images, judge=judging, rules={"policy": "drop"}, options=RunOptions(out=folder / "run", device="cpu")
    )


def again(name, data, file, folder):
    options = RunOptions(out=folder / "again", device="cpu")
    return probe(
        name,
        evidence=file,
        judge=JudgeOptions(data=data),
        rules={"policy": "drop"},
        allow_missing=True,
        options=options,
    )


@pytest.mark.parametrize(
    ("name", "good", "file"),
    [
        ("wise", "Consistency: 2\nRealism: 1\nAesthetic Quality: 0", "wise_scores.jsonl"),
        ("wise-verified", "Score: 1", "wise_verified_scores.jsonl"),
        ("imgedit", "a: 4\nb: 4\nc: 5", "result.json"),
    ],
)
def test_official_files_give_the_same_score(name, good, file, tmp_path):
    data, run = made(name, good, tmp_path)
    other = again(name, data, run.path / file, tmp_path)
    assert other.results[0]["metric"] == name  # such files say no other judge
    assert other.results[0]["value"] == pytest.approx(run.results[0]["value"])
    assert verify_run(other.path).failures == ()


def test_wise_s_lines_hold_the_official_names(tmp_path):
    _, run = made("wise", "Consistency: 2\nRealism: 1\nAesthetic Quality: 0", tmp_path)
    lines = [json.loads(line) for line in (run.path / "wise_scores.jsonl").read_text().splitlines()]
    assert lines[0] == {
        "prompt_id": 1,
        "Subcategory": "s",
        "consistency": 2.0,
        "realism": 1.0,
        "aesthetic_quality": 0.0,
    }
    assert len(lines) == 2


def test_gedit_s_table_has_the_official_columns(tmp_path):
    _, run = made("gedit", '{"score": [8, 6], "reasoning": ""}', tmp_path)
    (file,) = run.path.glob("gedit*.csv")
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert (rows[0]["sementics_score"], rows[0]["quality_score"], rows[2]["quality_score"]) == ("6.0", "6.0", "")


def test_released_replies_of_tiif_are_scored(tmp_path):
    data = small_data("tiif-short", tmp_path / "data")
    for i, word in enumerate(WORDS[:2]):
        home = tmp_path / "model" / "shape+color" / "short"
        home.mkdir(parents=True, exist_ok=True)
        row = {
            "attribute": "shape+color",
            "questions": [f"Is it a {word}? ", "Is it red? "],
            "model_output": "yes\n" + ("no", "yes")[i],
        }
        (home / f"{i}.json").write_text(json.dumps(row))
    run = again("tiif-short", data, tmp_path / "model", tmp_path)
    assert run.results[0]["value"] == 0.75
    assert run.record["probe"]["probed"] == 2
    (tmp_path / "model" / "shape+color" / "short" / "9.json").write_text(json.dumps({**row, "questions": ["?"]}))
    with pytest.raises(EvalkitError, match="does not have"):
        probe("tiif-short", evidence=tmp_path / "model", judge=JudgeOptions(data=data))


@pytest.mark.parametrize("text", ["[]", "{", '{"1": 2', "null"])
def test_broken_files_are_refused_in_one_sentence(text, tmp_path):
    data = small_data("imgedit", tmp_path / "data")
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(EvalkitError, match="no result file of imgedit"):
        again("imgedit", data, tmp_path / "result.json", tmp_path)
