"""When evaluator networks are loaded: at the first image that needs them, and what is said where they cannot be."""

import pytest

from evalkit.errors import WeightsError
from evalkit.jobs.options import RunOptions
from evalkit.tasks.tokenizer import evaluate_tokenizer, evaluators
from evalkit.tasks.tokenizer.task import _evaluators


@pytest.fixture(autouse=True)
def _offline(monkeypatch, tmp_path):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))


def evaluate(data, out):
    options = RunOptions(out=out, limit=2, keep="none", device="cpu")
    (run,) = evaluate_tokenizer("jpeg-q50", data, tasks=["reconstruction", "detail", "text"], options=options)
    return run


def test_photographs_load_no_reader_and_pages_of_text_no_face_detector(tmp_path, monkeypatch):
    loaded, load = [], evaluators.Evaluators._load
    monkeypatch.setattr(evaluators.Evaluators, "_load", lambda self, need: (loaded.append(need), load(self, need)))
    photos = evaluate("sample/photos", tmp_path / "photos")
    assert loaded == ["faces"]
    evaluate("sample/text-easy", tmp_path / "text")
    assert loaded == ["faces", "ocr"]
    assert list(photos.record["judges"]["weights"])[-1].startswith("ocr rapidocr ")  # named all the same


def test_a_reader_that_cannot_be_loaded_at_the_first_text_costs_the_scores_of_text_only(tmp_path, monkeypatch):
    def missing(name, device):
        raise WeightsError("its models are damaged")

    monkeypatch.setattr(evaluators, "load_ocr", missing)
    run = evaluate("sample/text-easy", tmp_path / "r")
    assert run.record["judges"]["unavailable"]["text"] == "its models are damaged"
    assert not [name for name in run.record["judges"]["weights"] if name.startswith("ocr ")]
    found = {row["metric"]: row for row in run.results}
    assert (found["cer_truth"]["status"], found["cer_truth"]["reason"]) == ("unavailable", "its models are damaged")
    assert found["psnr"]["value"] > 10


def test_what_one_shard_could_not_load_is_missing_of_the_whole_run():
    there = {"judges": {"weights": {"faces yunet-s": "a", "ocr rapidocr 3": None}, "unavailable": {"lpips_vgg": "x"}}}
    failed = {"judges": {"weights": {"faces yunet-s": "a"}, "unavailable": {"lpips_vgg": "x", "text": "damaged"}}}
    for order in ([there, failed], [failed, there]):
        assert _evaluators(order) == failed["judges"]
    assert _evaluators([]) == {"weights": {}, "unavailable": {}}
