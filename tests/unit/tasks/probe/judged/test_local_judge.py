"""A local vision-language model judges a suite: token probabilities of a tiny random one, from folder to score."""

import importlib.util
import json
from pathlib import Path

import pytest
from helpers.judged import small_images

from evalkit.jobs.options import RunOptions
from evalkit.tasks.probe import probe
from evalkit.tasks.probe.judged.options import JudgeOptions

_PATH = Path(__file__).parents[3] / "judges" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("tiny_vlm_fixture", _PATH)
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
tiny_vlm = _MODULE.tiny_vlm


def test_a_tiny_model_scores_every_image_by_its_probability_of_yes(tiny_vlm, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "prompts.jsonl").write_text(
        "".join(json.dumps({"id": f"p{i}", "prompt": "a dog"}) + "\n" for i in range(3))
    )
    small_images("vqascore", data, tmp_path / "images")
    judging = JudgeOptions(judge=f"transformers:{tiny_vlm}", data=data, replies=tmp_path / "r.jsonl")
    run = probe("vqascore", tmp_path / "images", judge=judging, options=RunOptions(out=tmp_path / "run", device="cpu"))
    scores = run.samples["score"].to_pylist()
    assert all(0 < score < 1 for score in scores)
    assert run.results[0]["metric"] == f"vqascore@{tiny_vlm.name}"
    assert run.results[0]["value"] == pytest.approx(sum(scores) / 3)
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 3
