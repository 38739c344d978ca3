"""Faces in an evaluation: which images are looked at, and what the rows and results say."""

import numpy as np
import pytest

from evalkit.images import open_images
from evalkit.jobs.options import RunOptions
from evalkit.metrics.faces import DECLARED, DETECTOR, face_columns
from evalkit.metrics.metric import Pair as Compared
from evalkit.protocols import load_protocol
from evalkit.tasks.tokenizer import evaluate_tokenizer
from evalkit.tasks.tokenizer.evaluators import Evaluators
from evalkit.tasks.tokenizer.pair import Pair
from evalkit.tasks.tokenizer.rows import schema

RESULTS = tuple(metric.name for metric in DECLARED)


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")


def evaluate(data, out, *tasks, model="jpeg-q50", protocols=("evalkit-1",)):
    options = RunOptions(out=out, limit=3, keep="none", device="cpu")
    (run,) = evaluate_tokenizer(model, data, tasks=tasks, protocols=protocols, options=options)
    return run


def test_photographs_with_faces_are_scored_and_the_detector_is_recorded(tmp_path):
    run = evaluate("sample/photos", tmp_path / "r", "reconstruction", "detail")  # astronaut, cameraman, cat
    assert run.samples["faces"].to_pylist() == [1, 1, 0]
    assert run.samples["psnr_face"].to_pylist()[2] is None
    found = {row["metric"]: row for row in run.results if row["task"] == "detail"}
    assert tuple(found) == RESULTS
    scores = run.samples["psnr_face"].to_pylist()[:2]
    assert found["psnr_face"]["value"] == pytest.approx(np.mean(scores))
    assert (found["face_recall"]["value"], found["face_recall"]["n"]) == (1, 2)
    assert "faces yunet-s" in run.record["judges"]["weights"]


def test_a_coarser_codec_loses_more_of_the_faces(tmp_path):
    values = {}
    for model in ("jpeg-q5", "jpeg-q90"):
        run = evaluate("sample/photos", tmp_path / model, "detail", model=model)
        values[model] = {row["metric"]: row["value"] for row in run.results}
    assert values["jpeg-q5"]["psnr_face"] < values["jpeg-q90"]["psnr_face"] - 5
    assert values["jpeg-q5"]["hf_correlation_face"] < values["jpeg-q90"]["hf_correlation_face"]


def test_data_without_faces_has_no_such_rows_and_texts_are_not_searched(tmp_path):
    run = evaluate("sample/textures", tmp_path / "t", "detail")
    assert run.samples["faces"].to_pylist() == [0, 0, 0]
    assert not {row["metric"] for row in run.results} & set(RESULTS)
    texts = evaluate("sample/text-easy", tmp_path / "e", "detail", "text")
    assert texts.samples["faces"].null_count == 3


def test_only_evalkits_own_protocol_and_the_task_detail_speak_of_faces(tmp_path):
    run = evaluate("sample/photos", tmp_path / "r", "reconstruction")
    assert run.samples["faces"].null_count == 3
    assert "faces yunet-s" not in run.record["judges"]["weights"]
    for metric in DECLARED:
        assert metric.under(load_protocol("evalkit-1"))
        assert not metric.under(load_protocol("vtbench-2025"))
        assert metric.images(None)
        assert not metric.images("text")


def test_a_face_that_was_wiped_out_is_not_found_again():
    (sample,) = open_images("sample/photos").read(0, 1)
    wiped, protocol = np.full_like(sample.image, 128), load_protocol("evalkit-1")
    judges = Evaluators([protocol], frozenset({"detail"}), "cpu")
    assert judges.loaded(DETECTOR)

    def row(x, y):
        seen = judges._find_faces(Pair({}, x, y, {}))
        return face_columns(Compared(x, y, protocol, evidence={DETECTOR: seen}))

    found = row(sample.image, wiped)
    assert (found["faces"], found["faces_found"]) == (1, 0)
    assert row(wiped, sample.image)["faces"] == 0
    assert set(found) <= set(schema().names)
