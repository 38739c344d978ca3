"""Suites that networks measure and nobody judges: killed, resumed, verified, and refused where weights are missing."""

import numpy as np
import pytest
import torch
from helpers.judged import ScriptedJudge, small_data, small_images
from helpers.judged_data import WORDS
from PIL import Image

from evalkit.errors import EvalkitError, WeightsError
from evalkit.jobs.options import RunOptions
from evalkit.provenance.verify import verify_run
from evalkit.tasks.probe import probe
from evalkit.tasks.probe.editing.pie import PieMeasures
from evalkit.tasks.probe.evidence.record import ImageEvidence
from evalkit.tasks.probe.judged.options import JudgeOptions
from evalkit.tasks.probe.measures import LOADERS, measures_of
from evalkit.tasks.probe.oneig import DiversityMeasures, ReasoningMeasures, StyleMeasures
from evalkit.tasks.probe.spread import packed, spreads, unpacked


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


class FakeEncoder:
    """The mean colour of an image, of unit length; killed after `left` images."""

    id, weights_sha256, name = "fake", "0" * 64, "fake"

    def __init__(self, left=np.inf):
        self.left = left

    def features(self, images):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return torch.nn.functional.normalize(images.float().mean((2, 3)) - 100, dim=1)

    embeddings = features

    def score(self, images, prompts):
        assert prompts[0] in WORDS
        return self.features(images)[:, 0].numpy()


FAKES = {
    "style": lambda fake: StyleMeasures({"csd": fake, "oneig-style": fake}),
    "diversity": DiversityMeasures,
    "reasoning": ReasoningMeasures,
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("part", sorted(FAKES))
def test_oneig_is_measured_killed_resumed_and_verified(part, language, tmp_path, monkeypatch):
    name = f"oneig-{part}-{language}"

    def seat(left):
        monkeypatch.setitem(LOADERS, f"oneig-{part}", lambda device: FAKES[part](FakeEncoder(left)))

    seat(5)
    with pytest.raises(KeyboardInterrupt):
        run_of(name, tmp_path)
    seat(np.inf)
    run = run_of(name, tmp_path)
    seen = [each.astype(float).mean((0, 1)) - 100 for each in _images(tmp_path / "images")]
    rows = np.array([each / np.linalg.norm(each) for each in seen])
    if part == "diversity":
        groups = rows.reshape(-1, 4, 3)
        wanted = np.mean([1 - a @ b for group in groups for i, a in enumerate(group) for b in group[i + 1 :]])
    else:
        wanted = np.mean(np.maximum(rows[:, :2].max(1), 0) if part == "style" else rows[:, 0])
    scores = {row["metric"]: row for row in run.results}
    assert scores[name]["value"] == pytest.approx(wanted, rel=0.02, abs=0.005)  # images went through JPEG
    assert scores[name]["n"] == len(rows)
    assert run.record["encoders"]["probe:csd" if part == "style" else "probe:fake"] == "0" * 64
    assert verify_run(run.path).failures == ()


def _images(folder):
    """The four images of each file in rows."""
    for path in sorted(folder.rglob("*.png")):
        whole = np.asarray(Image.open(path).convert("RGB"))
        half = len(whole) // 2
        yield from (whole[y : y + half, x : x + half] for y in (0, half) for x in (0, half))


def test_black_images_are_left_out_of_oneig():
    black, grey = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 99, np.uint8)
    one, two, three = (FAKES[name](FakeEncoder()) for name in ("style", "diversity", "reasoning"))
    assert one.measured(black, {"style": "line_art"}, None) == {}
    assert two.measured(grey, {}, None) == {}
    assert two.embedding(black) is None
    assert two.embedding(grey).shape == (3,)
    assert three.measured(black, {"answer": "lion"}, None) == {}


def test_a_broken_embedding_is_refused_in_one_sentence():
    whole = packed(np.array([3.0, 4.0]))
    assert unpacked(whole).tolist() == [3, 4]
    for odd in ("", "%", "AA==", packed(np.array([np.nan])), packed(np.zeros(2))):
        with pytest.raises(EvalkitError, match="embedding of the evidence is broken"):
            unpacked(odd)
    images = [ImageEvidence(str(i), "p", i, embedding=packed(np.ones(i))) for i in (1, 2)]
    with pytest.raises(EvalkitError, match="differ in width"):
        spreads(images)
    assert spreads(images[:1]) == {}


def test_piebench_measures_what_was_not_edited(tmp_path):
    """The upper half is edited; images lie as JPEG files, so the sources are read as what they are."""
    run = run_of("pie", tmp_path)
    by_name = {row["metric"]: row for row in run.results}
    assert 0 < by_name["pie"]["value"] < 100
    assert by_name["pie/ssim"]["value"] < 1
    assert by_name["pie/lpips"]["status"] == by_name["pie/structure"]["status"] == "unavailable"
    assert by_name["pie/object"]["n"] == 1
    assert verify_run(run.path).failures == ()


def test_piebench_is_killed_and_resumed_gives_dino_both_scales_and_names_it_in_the_record(tmp_path, monkeypatch):
    class Structure:
        weights_sha256 = "1" * 64

        def __init__(self, left):
            self.left = left

        def distance(self, x, y):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            assert x.shape == (1, 3, 512, 512)
            return (x - y).abs().amax(dim=(1, 2, 3))

    monkeypatch.setitem(LOADERS, "pie", lambda device: PieMeasures(structure=Structure(3)))
    with pytest.raises(KeyboardInterrupt):
        run_of("pie", tmp_path)
    monkeypatch.setitem(LOADERS, "pie", lambda device: PieMeasures(structure=Structure(np.inf)))
    run = run_of("pie", tmp_path)
    values = {row["metric"]: row["value"] for row in run.results}
    assert values["pie/structure"] == pytest.approx(255 * values["pie/structure/evalkit-1"], rel=1e-5)
    assert values["pie/structure/evalkit-1"] > 0
    assert run.record["encoders"]["probe:dino-structure"] == "1" * 64


def test_cvtg_scores_clip_and_looks_beside_its_words(tmp_path, monkeypatch):
    monkeypatch.setattr("evalkit.tasks.probe.measures.load_prompt_scorer", lambda *a: FakeScorer())
    data = small_data("cvtg-2k", tmp_path / "data")
    images = small_images("cvtg-2k", data, tmp_path / "images")
    judge = JudgeOptions(judge=ScriptedJudge("lion sun"), data=data, replies=tmp_path / "replies.jsonl")
    run = probe("cvtg-2k", images, judge=judge, options=RunOptions(out=tmp_path / "run", device="cpu"))
    values = {row["metric"]: row["value"] for row in run.results}
    mean = (0 + 9 + 255 + 0) / 4 / 255
    assert values["cvtg-2k@fake-vlm/aesthetic"] == pytest.approx(mean)
    assert values["cvtg-2k@fake-vlm/clipscore"] == pytest.approx(2.5 * mean / 100)
