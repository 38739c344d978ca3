from random import Random

import cv2
import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.world.captions import Demand, Wanted
from evalkit.world.detector import Detection, Seen, detect, detect_all
from evalkit.world.judge import relations, summary, verdict
from evalkit.world.prompts import world_prompts
from evalkit.world.render import render_scene
from evalkit.world.scene import TASKS, Scene, Thing

PROMPTS = world_prompts(300, seed=11)
IMAGES = [render_scene(p.scene) for p in PROMPTS]


def _truth(scene):
    return sorted((t.name, t.color or "") for t in scene.things)


def _found(seen):
    return sorted((t.name, t.color or "") for t in seen.things)


def test_the_detector_sees_at_least_98_percent_of_held_out_scenes_exactly():
    seen = detect_all(IMAGES)
    exact = [_truth(p.scene) == _found(s) and p.scene.ground == s.ground for p, s in zip(PROMPTS, seen, strict=True)]
    assert np.mean(exact) >= 0.98


def test_boxes_lie_where_the_things_are_drawn():
    for prompt, image in zip(PROMPTS[:60], IMAGES, strict=False):
        boxes = {(t.name, t.box[0] // 8, t.box[1] // 8): t.box for t in detect(image).things}
        assert len(boxes) == len(prompt.scene.things)
        for thing in prompt.scene.things:
            inside = [
                b for (name, *_), b in boxes.items() if name == thing.name and b[0] >= thing.x and b[1] >= thing.y
            ]
            assert any(b[2] <= thing.x + 24 and b[3] <= thing.y + 24 and b[2] - b[0] > 8 for b in inside)


@pytest.mark.parametrize(
    "harm",
    [
        lambda x: cv2.GaussianBlur(x, (3, 3), 0.7),
        lambda x: np.clip(x + np.random.default_rng(0).normal(0, 12, x.shape), 0, 255).astype(np.uint8),
        lambda x: cv2.imdecode(cv2.imencode(".jpg", x, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], cv2.IMREAD_COLOR),
        lambda x: cv2.resize(x, (128, 128), interpolation=cv2.INTER_CUBIC),
    ],
    ids=["blur", "noise", "jpeg", "twice the size"],
)
def test_the_detector_is_not_shaken_by_small_harm(harm):
    right = [_truth(p.scene) == _found(detect(harm(x))) for p, x in zip(PROMPTS[:90], IMAGES, strict=False)]
    assert np.mean(right) >= 0.95


def test_smaller_steps_find_things_that_were_shifted():
    scene = Scene("single_object", "white", (Thing("key", "blue", 16, 16),))
    shifted = np.roll(render_scene(scene), (3, 2), (0, 1))
    assert _found(detect(shifted, step=1)) == [("key", "blue")]


def test_a_bare_ground_holds_nothing():
    for seed in range(3):
        noise = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
        assert detect(noise).things == ()
    assert detect(np.full((64, 64, 3), 255, np.uint8)) == Seen("white", ())


def test_what_is_no_square_image_is_refused():
    for wrong in (np.zeros((64, 32, 3), np.uint8), np.zeros((64, 64, 3), np.float32), np.zeros((64, 64), np.uint8)):
        with pytest.raises(EvalkitError, match="square uint8"):
            detect(wrong)


def test_oracle_images_are_judged_right_and_shuffled_ones_near_chance():
    seen = detect_all(IMAGES)
    right = summary([verdict(p.demand, s) for p, s in zip(PROMPTS, seen, strict=True)])
    assert set(right) == set(TASKS)
    assert all(hits / n >= 0.98 for hits, n in right.values())
    order = list(range(len(seen)))
    Random(0).shuffle(order)
    mixed = summary([verdict(p.demand, seen[i]) for p, i in zip(PROMPTS, order, strict=True)])
    assert all(hits / n <= 0.2 for hits, n in mixed.values())
    assert sum(hits for hits, _ in mixed.values()) / len(seen) <= 0.06


def _thing(name, x=0, y=0, color=None, side=20):
    return Detection(name, color, (x, y, x + side, y + side), 0.9)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [(40, 0, {"left of"}), (0, 40, {"above"}), (-40, 0, {"right of"}), (0, -40, {"below"}), (3, -3, set())],
)
def test_relations_follow_genevals_tolerance(x, y, expected):
    assert relations(_thing("dog"), _thing("cat", x, y)) == expected


def test_a_diagonal_is_both_relations():
    assert relations(_thing("dog"), _thing("cat", 40, 40)) == {"left of", "above"}


@pytest.mark.parametrize(
    ("demand", "things", "reason"),
    [
        (Demand("counting", (Wanted("dog", 2),)), [_thing("dog")] * 3, "2 dog wanted, 3 found"),
        (Demand("counting", (Wanted("dog", 2),)), [_thing("dog")], "2 dog wanted, 1 found"),
        (Demand("single_object", (Wanted("dog"),)), [_thing("dog")] * 3, ""),
        (Demand("colors", (Wanted("dog", 1, "red"),)), [_thing("dog", color="blue")], "red dog wanted, blue found"),
        (Demand("colors", (Wanted("dog", 1, "red"),)), [_thing("dog")], "red dog wanted, natural found"),
        (Demand("position", (Wanted("dog"), Wanted("cat")), "above"), [_thing("dog"), _thing("cat", 40)], "not above"),
        (Demand("position", (Wanted("dog"), Wanted("cat")), "left of"), [_thing("dog"), _thing("cat", 40)], ""),
    ],
)
def test_a_verdict_names_what_is_missing(demand, things, reason):
    found = verdict(demand, Seen("white", tuple(things)))
    assert found.correct == (not reason)
    assert reason in found.reason
