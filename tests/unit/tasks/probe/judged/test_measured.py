"""Suites that networks measure and nobody judges: killed, resumed, verified, and refused where weights are missing."""

import numpy as np
import pytest
from helpers.judged import small_data, small_images

from evalkit.errors import EvalkitError, WeightsError
from evalkit.jobs.options import RunOptions
from evalkit.provenance.verify import verify_run
from evalkit.tasks.probe import probe
from evalkit.tasks.probe.judged.options import JudgeOptions
from evalkit.tasks.probe.measures import measures_of


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr("evalkit.tasks.probe.judged.items._check_files", lambda said, folder: None)


class FakeScorer:
    """Scores an image by its first pixel; killed after `left` images."""

    weights_sha256 = "0" * 64

    def __init__(self, left=np.inf):
        self.left = left

    def score(self, images, prompts):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return np.array([float(images[0, 0, 0, 0]) / 255])


def run_of(name, tmp_path, out="run"):
    data = tmp_path / "data"
    if not data.exists():
        small_data(name, data)
        small_images(name, data, tmp_path / "images")
    options = RunOptions(out=tmp_path / out, device="cpu")
    return probe(name, tmp_path / "images", judge=JudgeOptions(data=data), options=options)


@pytest.mark.parametrize("name", ["hps-benchmark-v20", "hps-benchmark-v21", "t2i-compbench-non-spatial"])
def test_a_suite_without_a_judge_is_measured_killed_resumed_and_verified(name, tmp_path, monkeypatch):
    monkeypatch.setattr("evalkit.tasks.probe.measures.load_prompt_scorer", lambda *a: FakeScorer(left=2))
    with pytest.raises(KeyboardInterrupt):
        run_of(name, tmp_path)
    monkeypatch.setattr("evalkit.tasks.probe.measures.load_prompt_scorer", lambda *a: FakeScorer())
    run = run_of(name, tmp_path)
    scores = {row["metric"]: row["value"] for row in run.results}
    near = 0.05 if name.startswith("hps") else 1e-9  # its images are JPEG files
    # first pixels of the four marks: 0, 9, 255, 0
    assert scores[name] == pytest.approx((0 + 9 + 255 + 0) / 4 / 255, abs=near)
    assert verify_run(run.path).failures == ()


def test_a_suite_without_its_network_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(WeightsError, match="are not here"):
        run_of("hps-benchmark-v21", tmp_path)
    with pytest.raises(EvalkitError, match="no measures of the kind 'odd'"):
        measures_of("odd", "cpu")


def test_piebench_measures_what_was_not_edited(tmp_path):
    """The upper half is edited; images lie as JPEG files, so the sources are read as what they are."""
    run = run_of("pie", tmp_path)
    by_name = {row["metric"]: row for row in run.results}
    assert 0 < by_name["pie"]["value"] < 100
    assert by_name["pie/ssim"]["value"] < 1
    assert by_name["pie/lpips"]["status"] == "unavailable"
    assert by_name["pie/object"]["n"] == 1
    assert verify_run(run.path).failures == ()
