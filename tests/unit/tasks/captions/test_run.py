"""Captions of images beside references: a sealed run that verifies, losses that are counted, files that are refused."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.resealed import resealed
from PIL import Image

import evalkit
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.leaderboard.compare import compare_runs
from evalkit.metrics.bleu import COLUMNS, bleu
from evalkit.metrics.captions import BLEU, CIDER, METEOR, ROUGE
from evalkit.provenance.verify import verify_run
from evalkit.tasks.captions.read import read_captions

PEOPLE = {
    0: ["A red cat sits on the mat.", "The cat is on a red mat"],
    1: ["Two dogs run in the park", "Dogs run on the grass in a park"],
    2: ["A man rides a horse", "The man is on a brown horse"],
    3: ["A bus stands near a tree", "There is a bus near two trees"],
}


def lines(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.fixture
def images(tmp_path):
    (tmp_path / "images").mkdir()
    for i in range(4):
        Image.fromarray(np.full((4, 6, 3), i, np.uint8)).save(tmp_path / "images" / f"COCO_val_{i:06d}.png")
    return tmp_path / "images"


@pytest.fixture
def people(tmp_path):
    rows = [{"id": 90 + i, "image_id": i, "caption": each} for i, said in PEOPLE.items() for each in said]
    path = tmp_path / "people.json"
    path.write_text(json.dumps({"images": [], "annotations": rows}))
    return path


def scored(images, captions, people, out):
    return evalkit.score(images, captions=captions, references=people, options=RunOptions(out=out, device="cpu"))


def test_a_run_states_both_numbers_and_verifies_from_its_rows(images, people, tmp_path):
    said = ["a red cat on the mat", "two dogs run in a park", "a man is on a horse", "a bus near a tree"]
    mine = lines(tmp_path / "ladic.jsonl", [{"image_id": i, "caption": each} for i, each in enumerate(said)])
    run = scored(images, mine, people, tmp_path / "run")
    rows = {row["metric"]: row for row in run.results}
    counts = np.stack([run.samples[name].to_numpy() for name in COLUMNS], 1)
    assert rows[BLEU.name]["value"] == pytest.approx(bleu(counts))
    assert rows[BLEU.name]["low"] < rows[BLEU.name]["value"] < rows[BLEU.name]["high"]
    assert rows[CIDER.name]["value"] == pytest.approx(np.mean(run.samples[CIDER.name].to_pylist()))
    assert rows[ROUGE.name]["value"] == pytest.approx(np.mean(run.samples[ROUGE.name].to_pylist()))
    assert rows[ROUGE.name]["value"] > 0.5
    assert run.record["model"]["name"] == "ladic"
    assert run.record["conditions"]["n"] == 4
    assert verify_run(run.path).failures == ()
    assert "BLEU-4" in (run.path / "report.html").read_text()


@pytest.mark.parametrize("value", [0.25, None])
def test_meteor_is_a_mean_over_images_or_says_what_to_type(images, people, tmp_path, monkeypatch, value):
    monkeypatch.setattr("evalkit.tasks.captions.worker.meteor", lambda caption, references: value)
    mine = lines(tmp_path / "m.jsonl", [{"image_id": i, "caption": each[0]} for i, each in PEOPLE.items()])
    run = scored(images, mine, people, tmp_path / "run")
    row = next(each for each in run.results if each["metric"] == METEOR.name)
    assert row["value"] == value
    assert ("pip install nltk" in (row["reason"] or "")) == (value is None)
    assert verify_run(run.path).failures == ()


def test_a_changed_row_is_found_by_recomputation(images, people, tmp_path):
    mine = lines(tmp_path / "m.jsonl", [{"image_id": i, "caption": each[0]} for i, each in PEOPLE.items()])
    run = scored(images, mine, people, tmp_path / "run")
    rows = run.samples.to_pylist()
    rows[0][CIDER.name] = 9.9
    pq.write_table(pa.Table.from_pylist(rows, schema=run.samples.schema), run.path / "samples.parquet")
    found = verify_run(resealed(run.path))
    assert any(CIDER.name in str(each) for each in found.failures)


def test_missing_captions_are_counted_and_leave_the_corpus_of_references_alone(images, people, tmp_path):
    whole = lines(tmp_path / "a.jsonl", [{"image_id": i, "caption": each[0]} for i, each in PEOPLE.items()])
    part = lines(tmp_path / "b.jsonl", [{"id": "COCO_val_000001", "caption": PEOPLE[1][0]}])
    one, two = (scored(images, each, people, tmp_path / each.stem) for each in (whole, part))
    assert two.samples["error"].to_pylist()[0] == "no caption is given of it"
    assert two.samples[CIDER.name][1].as_py() == one.samples[CIDER.name][1].as_py()
    assert two.record["encoders"] == one.record["encoders"]  # so that both may be compared on what both have
    assert next(row["value"] for row in two.results if row["better"] == "none") == 3


def test_two_models_are_compared_by_both_numbers(images, people, tmp_path):
    said = {
        "one": ["a red cat sits on the mat", "two dogs run in a park", "a man rides a horse", "a bus near a tree"],
        "two": [
            "a cat sits on the mat",
            "two dogs run on a road",
            "a man rides a bike here",
            "there is a bus near a car",
        ],
    }
    files = [
        lines(tmp_path / f"{name}.jsonl", [{"id": f"COCO_val_{i:06d}.png", "caption": c} for i, c in enumerate(each)])
        for name, each in said.items()
    ]
    runs = [scored(images, each, people, tmp_path / f"run-{each.stem}") for each in files]
    pairs = {pair.board.terms.metric: pair for pair in compare_runs([run.path for run in runs]).pairs}
    assert set(pairs) == {BLEU.name, CIDER.name, ROUGE.name}
    for name, pair in pairs.items():
        values = [next(row["value"] for row in run.results if row["metric"] == name) for run in runs]
        assert pair.gap.value == pytest.approx(values[1] - values[0])
        assert "paired by sample" in pair.gap.method
    others = lines(tmp_path / "others.jsonl", [{"image_id": i, "caption": each[1]} for i, each in PEOPLE.items()])
    apart = scored(images, files[1], others, tmp_path / "apart")
    with pytest.raises(EvalkitError, match="captions:references"):
        compare_runs([runs[0].path, apart.path])


def test_one_reference_image_leaves_cider_unavailable(images, tmp_path):
    mine = lines(tmp_path / "m.jsonl", [{"image_id": 0, "caption": "a red cat on the mat"}])
    theirs = lines(tmp_path / "p.jsonl", [{"image_id": 0, "caption": "a red cat on the mat"}])
    rows = {row["metric"]: row for row in scored(images, mine, theirs, tmp_path / "run").results}
    assert rows[BLEU.name]["value"] == 1
    assert rows[CIDER.name]["status"] == "unavailable"


@pytest.mark.parametrize(
    "row", [{"id": "0"}, {"id": 0.5, "caption": "a"}, {"id": True, "caption": "a"}, {"caption": "a"}, ["a"]]
)
def test_a_wrong_entry_is_named(tmp_path, row):
    with pytest.raises(EvalkitError, match=r"entry 1 of .* lacks a field"):
        read_captions(lines(tmp_path / "x.jsonl", [row]))


def test_files_without_captions_are_refused(tmp_path, images, people):
    with pytest.raises(EvalkitError, match="is not there"):
        read_captions(tmp_path / "nowhere.jsonl")
    with pytest.raises(EvalkitError, match="holds no captions"):
        read_captions(lines(tmp_path / "x.jsonl", []))
    with pytest.raises(EvalkitError, match="is no list"):
        read_captions(lines(tmp_path / "x.json", [{"a": 1}]))
    twice = lines(tmp_path / "y.jsonl", [{"id": 1, "caption": "a"}] * 2)
    with pytest.raises(EvalkitError, match="two captions of 1"):
        scored(images, twice, people, tmp_path / "run")
    with pytest.raises(EvalkitError, match="no image of images has"):
        scored(images, lines(tmp_path / "z.jsonl", [{"id": "else", "caption": "a"}]), people, tmp_path / "run")


def test_captions_come_with_references_and_alone(images, people):
    with pytest.raises(EvalkitError, match="Give both"):
        evalkit.score(images, captions=people)
    with pytest.raises(EvalkitError, match="bleu_4 and cider_d and rouge_l and meteor_nltk alone"):
        evalkit.score(images, captions=people, references=people, metrics=["fid"])
    with pytest.raises(EvalkitError, match="each come alone"):
        evalkit.score(images, images, captions=people, references=people)
