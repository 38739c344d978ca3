"""The whole chain, prompts to summary: on a tiny random Mask2Former, and on the reference world with its truth."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from evalkit.encoders.detectors.coco import COCO_CLASSES
from evalkit.encoders.detectors.detection import Detection
from evalkit.encoders.detectors.mask2former import Mask2FormerDetector
from evalkit.encoders.detectors.resize import Scale
from evalkit.encoders.detectors.rle import Mask
from evalkit.encoders.registry import load_detector
from evalkit.encoders.zero_shot import Chosen, ZeroShot
from evalkit.errors import EvalkitError
from evalkit.tasks.probe.coverage import coverage
from evalkit.tasks.probe.evidence.read import read_evidence
from evalkit.tasks.probe.evidence.record import Evidence, ImageEvidence
from evalkit.tasks.probe.evidence.write import write_evidence
from evalkit.tasks.probe.geneval.options import RuleOptions
from evalkit.tasks.probe.suite import SUITES, Encoders, ProbeImage
from evalkit.world.prompts import world_prompts
from evalkit.world.render import render_scene


class Red(ZeroShot):
    id, version = "always-red", "1"

    def __call__(self, images, choices):
        return [Chosen("red", 1.0) for _ in images]


@pytest.fixture(scope="module")
def geneval():
    return SUITES.get("geneval")()


@pytest.fixture(scope="module")
def tiny(tiny_mask2former):
    detector = Mask2FormerDetector(tiny_mask2former, torch.device("cpu"), scale=Scale(64, 96, 32), floor=0.05)
    return Encoders(detector, Red())


def some_images(geneval, n=12):
    rng = np.random.default_rng(1)
    chosen = geneval.prompts()[:: len(geneval.prompts()) // n][:n]
    return [ProbeImage(f"{p.id}/0.png", p.id, 0, rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)) for p in chosen]


def test_evidence_once_then_rules_from_its_file(geneval, tiny, tmp_path):
    images = some_images(geneval)
    evidence = list(geneval.evidence(images, tiny))
    write_evidence(tmp_path / "e.jsonl.gz", evidence, geneval.facts(tiny))
    read = read_evidence(tmp_path / "e.jsonl.gz")
    assert read.images == tuple(evidence)
    rows = geneval.rules(read)
    assert [row.image for row in rows] == [image.image for image in images]
    assert sum(len(each.boxes) for each in evidence) > len(images)
    names = {label for each in evidence for label in (d.label for d in each.boxes)}
    assert names <= set(geneval.classes)
    low = geneval.with_options(RuleOptions(threshold=0.06, counting_threshold=0.06)).rules(read)
    assert sum(map(bool, (r.details for r in low))) >= sum(map(bool, (r.details for r in rows)))
    assert geneval.score_name(read.facts) == "geneval@mask2former-swin-s"
    (overall, *_) = geneval.summary(rows)
    assert 0 <= overall.estimate.value <= 1


def test_evidence_does_not_depend_on_the_order_of_the_images(geneval, tiny):
    images = some_images(geneval, 5)
    forth = list(geneval.evidence(images, tiny))
    back = list(geneval.evidence(reversed(images), tiny))
    assert forth == list(reversed(back))


def test_detector_classes_are_matched_by_number_and_evidence_by_name(geneval):
    class Mice:
        classes, sees_colors = COCO_CLASSES, False

        def __call__(self, images):
            return [(Detection("mouse", (0.0, 0.0, 5.0, 5.0), 0.99),) for _ in images]

    prompt = next(p for p in geneval.prompts() if p.prompt == "a photo of a computer mouse")
    image = ProbeImage("i", prompt.id, 0, np.zeros((8, 8, 3), np.uint8))
    (seen,) = geneval.evidence([image], Encoders(Mice()))
    assert seen.boxes[0].label == "computer mouse"
    foreign = replace(seen, boxes=(replace(seen.boxes[0], label="mouse"),))
    assert [row.score for row in geneval.rules(Evidence((seen, foreign)))] == [1, 1]


def test_the_detector_of_the_world_scores_what_was_drawn_and_not_what_was_not():
    world, prompts = SUITES.get("world")(), world_prompts()
    images = [ProbeImage(p.id, p.id, 0, render_scene(p.scene)) for p in prompts]
    coverage([p.id for p in world.prompts()], world.samples, [(i.image, i.prompt, i.sample) for i in images]).require()
    encoders = Encoders(load_detector("world"))
    evidence = tuple(world.evidence(images, encoders))
    oracle = world.summary(world.rules(Evidence(evidence, world.facts(encoders))))
    assert len(oracle) == 9
    assert all(score.estimate.value >= 0.98 for score in oracle)
    moved = [replace(e, prompt=images[(i + 7) % len(images)].prompt) for i, e in enumerate(evidence)]
    shuffled = {score.name: score.estimate for score in world.summary(world.rules(Evidence(tuple(moved))))}
    assert shuffled["world"].high < 0.08
    assert world.score_name(world.facts(encoders)) == "world"


def boxed(geneval, n=30):
    rng = np.random.default_rng(0)
    mask = Mask(512, 512, "0" * 300)
    for prompt in geneval.prompts():
        for sample in range(4):
            boxes = []
            for place in range(n):
                left, top, width, height = rng.integers(1, 256, 4).tolist()
                label = prompt.include[place % len(prompt.include)].name if place < 4 else geneval.classes[place]
                corners = (float(left), float(top), float(left + width), float(top + height))
                boxes.append(Detection(label, corners, float(rng.random()), mask, "red", 0.5))
            yield ImageEvidence(f"{prompt.id}/{sample}", prompt.id, sample, (512, 512), "0" * 64, tuple(boxes))


def test_rules_over_the_whole_benchmark_take_at_most_two_seconds(geneval, tmp_path):
    write_evidence(tmp_path / "e.jsonl", boxed(geneval))
    read = read_evidence(tmp_path / "e.jsonl")
    began = time.process_time()
    rows = geneval.rules(read)
    geneval.summary(rows)
    assert len(rows) == 2212
    assert time.process_time() - began < 2


def test_what_rules_cannot_use_is_one_sentence(geneval):
    seen = ImageEvidence("i", "00000", boxes=())
    for evidence, said in (
        (Evidence((replace(seen, prompt="99999"),)), "of prompt 99999"),
        (Evidence((replace(seen, boxes=None),)), "no detections"),
        (Evidence((seen,), {"suite": "world"}), "of the probe world"),
        (Evidence((seen,), {"boxes": {"floor": 0.5}}), "below a score of 0.5"),
        (Evidence((replace(seen, options={"odd": 1}),)), "no option 'odd'"),
        (Evidence((replace(seen, prompt="00270", boxes=(Detection("x", (0.0,) * 4, 1.0),)),)), None),
    ):
        if said is None:
            assert geneval.rules(evidence)[0].score == 0
            continue
        with pytest.raises(EvalkitError, match=said):
            geneval.rules(evidence)


def test_a_colour_that_is_missing_names_the_image(geneval):
    prompt = next(p for p in geneval.prompts() if p.tag == "colors")
    seen = ImageEvidence("my.png", prompt.id, boxes=(Detection(prompt.include[0].name, (0.0, 0.0, 1.0, 1.0), 0.9),))
    with pytest.raises(EvalkitError, match=r"my\.png: the evidence holds no colour"):
        geneval.rules(Evidence((seen,)))


def test_networks_that_are_missing_are_named(geneval, tiny):
    with pytest.raises(EvalkitError, match="needs a detector"):
        geneval.evidence([], Encoders())
    prompt = next(p for p in geneval.prompts() if p.tag == "colors")
    image = ProbeImage("i", prompt.id, 0, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(EvalkitError, match="names a colour"):
        list(geneval.evidence([image], Encoders(tiny.detector)))


def test_an_empty_image_needs_no_colours_from_a_detector_that_sees_them():
    world = SUITES.get("world")()
    prompt = next(p for p in world.prompts() if p.tag == "colors")
    white = ProbeImage("i", prompt.id, 0, np.full((64, 64, 3), 255, np.uint8))
    encoders = Encoders(load_detector("world"))
    (seen,) = world.evidence([white], encoders)
    assert seen.boxes == ()
    assert world.rules(Evidence((seen,)))[0].kinds == ("missing",)


def test_an_image_of_an_unknown_prompt_is_named(geneval, tiny):
    image = ProbeImage("my.png", "99999", 0, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(EvalkitError, match=r"my\.png is of prompt 99999"):
        list(geneval.evidence([image], tiny))


def test_suites_are_known_by_name():
    assert {"geneval", "world"} <= set(SUITES)
    with pytest.raises(EvalkitError, match="did you mean geneval"):
        SUITES.get("genevall")
