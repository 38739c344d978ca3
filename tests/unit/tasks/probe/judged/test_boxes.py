"""T2I-CompBench's places and numbers: rules beside numbers of the official functions, and whole runs with a detector."""

import json
import math

import pytest
from helpers.judged import small_data, small_images

from evalkit.encoders.detectors.base import Detector
from evalkit.encoders.detectors.detection import Detection
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.provenance.verify import verify_run
from evalkit.tasks.probe import probe
from evalkit.tasks.probe.judged.boxes import SIDE, fits, numeracy, spatial
from evalkit.tasks.probe.judged.loaders import compbench
from evalkit.tasks.probe.judged.loaders.compbench import counted
from evalkit.tasks.probe.judged.options import JudgeOptions

SQUARE = (SIDE, SIDE)
LEFT, RIGHT, BOTH = (0.0, 0.0, 100.0, 100.0), (300.0, 20.0, 400.0, 120.0), (40.0, 0.0, 140.0, 100.0)


def found(*rows):
    return tuple(Detection(label, box, score) for label, box, score in rows)


@pytest.mark.parametrize(
    ("relation", "one", "two", "wanted"),
    [
        ("on the left of", LEFT, RIGHT, 1),
        ("on the right of", LEFT, RIGHT, 0),
        ("on the top of", LEFT, RIGHT, 0),
        ("on the left of", LEFT, BOTH, 0.1 / (6000 / 14000)),
        ("next to", LEFT, (300, 400, 400, 500), 150 / 400),
        ("near", LEFT, (10, 400, 110, 500), 1),
        ("on top of", LEFT, RIGHT, 0),
        ("on the bottom of", LEFT, LEFT, 0),
    ],
)
def test_places_fit_as_officially(relation, one, two, wanted):
    assert fits(relation, one, two) == pytest.approx(wanted)


def test_sureness_and_place_make_a_score_from_a_half():
    asked = {"first": "girl", "last": "dog", "relation": "on the left of"}
    there = found(("person", LEFT, 0.9), ("dog", RIGHT, 0.7), ("dog", LEFT, 0.6))
    assert spatial(there, asked, SQUARE) == pytest.approx(0.9 / 4 + 0.7 / 4 + 0.5)
    assert spatial(there, {**asked, "relation": "on the right of"}, SQUARE) == 0
    assert spatial(there[:1], asked, SQUARE) == spatial((), asked, SQUARE) == 0
    near = {**asked, "relation": "next to"}
    assert spatial(there, near, SQUARE) == spatial(there, near, (2 * SIDE, 2 * SIDE)) != 0


def test_numbers_count_each_thing_once():
    same = (2.0, 1.0, 101.0, 100.0)
    there = found(("person", LEFT, 0.9), ("person", same, 0.8), ("teddy bear", RIGHT, 0.7), ("boat", LEFT, 0.6))
    assert numeracy(there, {"wanted": [("boy", 1), ("ship", 2)]}, SQUARE) == pytest.approx(0.75)
    assert numeracy(there, {"wanted": [("bear", 1)]}, SQUARE) == 1  # a label that holds the word
    assert numeracy(there, {"wanted": [("cat", 1)]}, SQUARE) == 0
    assert numeracy(there, {"wanted": []}, SQUARE) is None


def test_prompts_say_what_is_counted():
    plurals = {"cats": "cat", "fish": "fish", "traffic lights": "traffic light"}
    told = "one cat , two fish , three traffic lights and a traffic light"
    wanted = [("cat", 1), ("fish", 2), ("traffic light", 3), ("traffic light", 1)]
    assert counted(told.split(), plurals) == wanted
    assert counted(["two", "dogs"], plurals) == counted(["a"], plurals) == []


class Sees(Detector):
    """A lion in every image, and a second one of little sureness; killed after `left` images."""

    id, weights_sha256, classes, floor = "sees-lions", "2" * 64, ("lion",), 0.1

    def __init__(self, left=math.inf):
        self.left = left

    def __call__(self, images):
        self.left -= len(images)
        if self.left < 0:
            raise KeyboardInterrupt
        return [found(("lion", (0.0, 0.0, 9.0, 9.0), 0.9), ("lion", (20.0, 20.0, 40.0, 40.0), 0.3)) for _ in images]


@pytest.fixture
def plain(monkeypatch):
    monkeypatch.setattr("evalkit.tasks.probe.judged.items._check_files", lambda said, folder: None)
    monkeypatch.setattr(compbench, "nouns", lambda text: text.split()[1::2])
    monkeypatch.setattr(compbench, "words", str.split)


@pytest.mark.parametrize(("split", "wanted"), [("numeracy", 1 / 2), ("spatial", 0)])
def test_a_detector_s_split_is_killed_resumed_verified_and_judged_anew(split, wanted, plain, tmp_path):
    name = f"t2i-compbench-{split}"
    data = small_data(name, tmp_path / "data")
    images, judge = small_images(name, data, tmp_path / "images"), JudgeOptions(data=data)
    options = RunOptions(out=tmp_path / "run", device="cpu")
    with pytest.raises(KeyboardInterrupt):
        probe(name, images, judge=judge, detector=Sees(left=20), options=options)
    run = probe(name, images, judge=judge, detector=Sees(), options=options)
    scores = {row["metric"]: row["value"] for row in run.results}
    assert scores[f"{name}@sees-lions"] == pytest.approx(
        wanted
    )  # of lion and boat; two prompts name nothing that is listed
    assert run.record["encoders"] == {"probe:sees-lions": "2" * 64}
    assert verify_run(run.path).failures == ()
    again = probe(name, evidence=run.path, judge=judge, options=RunOptions(out=tmp_path / "again", device="cpu"))
    assert [row["value"] for row in again.results] == [row["value"] for row in run.results]


@pytest.mark.parametrize("split", ["spatial", "numeracy", "3d-spatial"])
def test_the_official_result_file_gives_the_official_name(split, plain, tmp_path):
    name = f"t2i-compbench-{split}"
    data = small_data(name, tmp_path / "data")
    file, judge = tmp_path / "vqa_result.json", JudgeOptions(data=data)
    file.write_text(json.dumps([{"question_id": n, "answer": 0.6 if n < 10 else 0.2} for n in range(40)]))
    options = RunOptions(out=tmp_path / "run", device="cpu")
    run = probe(name, evidence=file, judge=judge, options=options)
    scores = {row["metric"]: row["value"] for row in run.results}
    assert scores[name] == pytest.approx((0.6 + 3 * 0.2) / 4)
    assert verify_run(run.path).failures == ()
    file.write_text("[1]")
    with pytest.raises(EvalkitError, match="is no result file"):
        probe(name, evidence=file, judge=judge, options=RunOptions(out=tmp_path / "odd", device="cpu"))


def test_places_in_depth_are_read_from_the_official_file_alone(plain, tmp_path):
    data = small_data("t2i-compbench-3d-spatial", tmp_path / "data")
    images = small_images("t2i-compbench-3d-spatial", data, tmp_path / "images")
    with pytest.raises(EvalkitError, match="runs no detector here"):
        probe(
            "t2i-compbench-3d-spatial",
            images,
            judge=JudgeOptions(data=data),
            options=RunOptions(out=tmp_path / "run", device="cpu"),
        )
