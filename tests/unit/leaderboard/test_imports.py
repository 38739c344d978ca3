import contextlib
import json

import pytest

from evalkit.errors import EvalkitError
from evalkit.leaderboard.imports import import_results
from evalkit.leaderboard.imports.every_eval_ever import metric_of
from evalkit.provenance.verify import verify_run
from evalkit.tasks.probe.geneval.official import results_lines
from evalkit.tasks.probe.geneval.prompts import geneval_prompts
from evalkit.tasks.probe.geneval.summary import summarise
from evalkit.tasks.probe.rows import ProbeRow

RECORD = {
    "schema_version": "0.3.0",
    "evaluation_id": "1",
    "model_info": {"id": "lab/model", "name": "model"},
    "source_metadata": {"source_organization_name": "A lab", "evaluator_relationship": "third_party"},
    "evaluation_results": [
        {
            "evaluation_name": "photos: psnr",
            "source_data": {"dataset_name": "photos"},
            "metric_config": {"lower_is_better": False, "metric_id": "psnr", "metric_unit": "dB"},
            "score_details": {
                "score": 30.5,
                "uncertainty": {"num_samples": 9, "confidence_interval": {"lower": 30.0, "upper": 31.0}},
            },
        },
        {
            "evaluation_name": "elo",
            "source_data": {"dataset_name": "arena"},
            "metric_config": {"lower_is_better": False},
            "score_details": {"score": 1200},
        },
    ],
}


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps(RECORD))
    return path


def test_a_record_of_every_eval_ever_becomes_a_run_that_says_it_was_not_measured_here(record, tmp_path):
    run = import_results(record, out=tmp_path / "run")
    assert [(row["metric"], row["value"], row["low"], row["n"]) for row in run.results] == [
        ("psnr", 30.5, 30.0, 9),
        ("elo", 1200.0, None, 0),
    ]
    assert run.record["model"]["name"] == "model"
    assert run.record["imported"]["note"] == "imported, not measured here"
    assert run.record["imported"]["source"] == "A lab"
    assert not verify_run(run.path).failures
    assert import_results(record, out=tmp_path / "run").record == run.record


def test_what_a_leaderboard_exports_comes_back(runs, noise, tmp_path):
    runs.make(tmp_path / "board", runs.run("a", noise(1), row={"low": 24.0, "high": 26.0}), organization="Our lab")
    (entry,) = (tmp_path / "board" / "every_eval_ever").rglob("*.json")
    run = import_results(entry, out=tmp_path / "again")
    (row,) = run.results
    assert (row["metric"], row["low"], row["high"], row["n"]) == ("psnr", 24.0, 26.0, 60)
    assert row["value"] == pytest.approx(float(noise(1).mean()))


def test_genevals_file_becomes_its_official_scores_with_intervals(tmp_path):
    prompts = geneval_prompts()[:40]
    rows = [
        ProbeRow(f"{p.id}/{k}", p.id, k, p.metadata["tag"], float((i + k) % 3 == 0))
        for i, p in enumerate(prompts)
        for k in range(2)
    ]
    path = tmp_path / "results.jsonl"
    path.write_text("".join(results_lines(rows, {p.id: p for p in prompts})))
    run = import_results(path, model="theirs", source="its repository", out=tmp_path / "run")
    wanted = {each.name: each.estimate for each in summarise(rows)}
    assert {row["metric"]: row["value"] for row in run.results} == {
        k: pytest.approx(e.value) for k, e in wanted.items()
    }
    assert run.samples.num_rows == 80
    assert run.samples["score"].to_pylist() == [row.score for row in rows]


def wise_lines(numbers, **scores):
    return "".join(json.dumps({"prompt_id": n, "Subcategory": "x", **scores}) + "\n" for n in numbers)


def test_wises_file_becomes_its_weighted_score(tmp_path):
    path = tmp_path / "scores.jsonl"
    right = {"consistency": 2, "realism": 1, "aesthetic_quality": 0}
    wrong = {"consistency": 0, "realism": 0, "aesthetic_quality": 0}
    path.write_text(wise_lines(range(1, 401), **right) + wise_lines(range(401, 1001), **wrong))
    run = import_results(path, model="theirs", out=tmp_path / "run")
    found = {row["metric"]: row["value"] for row in run.results}
    assert found["wise"] == pytest.approx(0.4 * 0.8)
    assert (found["wise/culture"], found["wise/time"]) == (pytest.approx(0.8), 0)
    assert run.samples.num_rows == 1000
    parts = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    for part, numbers in zip(parts, (range(1, 401), range(401, 1001)), strict=True):
        part.write_text(wise_lines(numbers, score=1))
    run = import_results(parts, model="theirs", out=tmp_path / "verified")
    assert {row["metric"]: row["value"] for row in run.results}["wise-verified"] == 1


def test_a_part_of_wise_has_categories_and_no_overall_score(tmp_path):
    path = tmp_path / "scores.jsonl"
    path.write_text(wise_lines(range(701, 801), consistency=2, realism=2, aesthetic_quality=2))
    run = import_results(path, model="theirs", out=tmp_path / "run")
    assert [row["metric"] for row in run.results] == ["wise/biology"]
    path.write_text(wise_lines([1], consistency=2, realism=2, aesthetic_quality=2))
    with pytest.raises(EvalkitError, match="no whole category"):
        import_results(path, model="theirs", out=tmp_path / "other")


@pytest.mark.parametrize(
    "wrong", [{"consistency": 3}, {"consistency": "2"}, {"prompt_id": 1001}, {"prompt_id": 1.5}, {"realism": None}]
)
def test_a_line_that_is_none_of_wises_is_one_sentence(tmp_path, wrong):
    path = tmp_path / "scores.jsonl"
    line = {"prompt_id": 1, "consistency": 2, "realism": 2, "aesthetic_quality": 2}
    path.write_text(json.dumps(line | wrong))
    with pytest.raises(EvalkitError, match="give"):
        import_results(path, model="theirs", out=tmp_path / "run")


def test_metrics_are_known_by_their_names_and_labels():
    assert metric_of({"metric_name": "FID"}, "COCO") == "fid"
    assert metric_of({"metric_id": "rewardbench.overall"}, "x") == "rewardbench.overall"


PLACES = [
    *[("schema_version",), ("evaluation_id",), ("model_info",), ("model_info", "name"), ("source_metadata",)],
    *[("evaluation_results", 0), ("evaluation_results", 0, "score_details"), ("evaluation_results", 0, "source_data")],
    *[("evaluation_results", 0, "score_details", "uncertainty"), ("evaluation_results", 0, "metric_config")],
    ("evaluation_results", 0, "score_details", "uncertainty", "num_samples"),
]
ODD = [None, 1, -1, 1e300, "x", [], {}, [[]], True, float("nan"), float("inf"), "\ud800\u202e"]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_anything_in_a_record_is_a_run_or_one_sentence(tmp_path, place):
    for number, odd in enumerate(ODD):
        record = json.loads(json.dumps(RECORD))
        inner = record
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = odd
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(record))
        with contextlib.suppress(EvalkitError):
            run = import_results(path, out=tmp_path / f"run-{number}")
            assert run.record["imported"]["note"] == "imported, not measured here"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no result file that is known"),
        ("[1]", "no result file that is known"),
        ('{"tag": 1}', "no result file that is known"),
        ('{"evaluation_results": [], "schema_version": "0.3.0"}', "is missing"),
        (json.dumps(RECORD | {"evaluation_results": []}), "holds no finite score"),
        (json.dumps(RECORD | {"evaluation_results": [1]}), "another form"),
        ("{", "is no JSON"),
    ],
)
def test_other_files_are_one_sentence(tmp_path, text, said):
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(EvalkitError, match=said):
        import_results(path, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_file_that_names_no_system_asks_for_one(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text('{"tag": "counting", "correct": true, "metadata": "{}"}\n')
    with pytest.raises(EvalkitError, match="give --model NAME"):
        import_results(path)


def test_imported_runs_alone_make_no_leaderboard(runs, record, tmp_path):
    run = import_results(record, out=tmp_path / "run")
    with pytest.raises(EvalkitError, match="imported runs stand beside measured ones only"):
        runs.make(tmp_path / "board", run.path)
