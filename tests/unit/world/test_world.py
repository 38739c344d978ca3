"""Scenes, captions, renderer, detector and judge: they agree with each other, and only with each other."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import evalkit.world
from evalkit.errors import EvalkitError
from evalkit.world.captions import demand_of, held_out, read_caption, write_caption
from evalkit.world.detector import detect, detect_all
from evalkit.world.judge import summary, verdict
from evalkit.world.prompts import world_prompts
from evalkit.world.render import render_scene
from evalkit.world.scene import SIDE, SPRITE, STEP, TASKS, Scene, Thing, draw_scene
from evalkit.world.text import LENGTH, encode_caption, words
from evalkit.world.vocabulary import CLASS_NAMES, COLOR_NAMES

seeds = st.integers(0, 10**9)
tasks = st.sampled_from(TASKS)


@given(seeds, tasks)
def test_things_stand_on_the_grid_inside_the_image_and_never_overlap(seed, task):
    scene = draw_scene(task, Random(seed))
    for index, a in enumerate(scene.things):
        assert a.x % STEP == a.y % STEP == 0
        assert max(a.x, a.y) <= SIDE - SPRITE
        for b in scene.things[index + 1 :]:
            assert abs(a.x - b.x) >= SPRITE or abs(a.y - b.y) >= SPRITE


@given(seeds, tasks)
def test_a_caption_is_read_back_as_what_the_scene_demands(seed, task):
    rng = Random(seed)
    scene = draw_scene(task, rng)
    caption = write_caption(scene, rng)
    found, wanted = read_caption(caption), demand_of(scene)
    assert (found.wanted, found.relation) == (wanted.wanted, wanted.relation)
    assert len(encode_caption(caption)) == LENGTH


@given(seeds, tasks)
def test_rendering_is_the_same_every_time(seed, task):
    scene = draw_scene(task, Random(seed))
    assert np.array_equal(render_scene(scene), render_scene(scene))
    assert render_scene(scene).shape == (SIDE, SIDE, 3)


def test_the_detector_knows_the_truth_of_held_out_scenes():
    prompts = world_prompts(300, seed=1)
    right = 0
    for prompt, seen in zip(prompts, detect_all([render_scene(p.scene) for p in prompts]), strict=True):
        truth = sorted((t.name, t.color or "", t.x, t.y) for t in prompt.scene.things)
        found = []
        for t in seen.things:
            found.append((t.name, t.color or "", t.box[0] // STEP * STEP, t.box[1] // STEP * STEP))
        right += truth == sorted(found) and seen.ground == prompt.scene.ground
    assert right / len(prompts) >= 0.98


def test_oracle_images_are_right_and_shuffled_ones_near_chance():
    prompts = world_prompts(300, seed=2)
    seen = detect_all([render_scene(p.scene) for p in prompts])
    scores = summary([verdict(p.demand, s) for p, s in zip(prompts, seen, strict=True)])
    assert all(right / n >= 0.98 for right, n in scores.values())
    order = list(range(300))
    Random(0).shuffle(order)
    mixed = summary([verdict(prompts[i].demand, seen[j]) for i, j in enumerate(order)])
    assert mixed["color_attr"][0] + mixed["position"][0] <= 2
    assert mixed["single_object"][0] / mixed["single_object"][1] < 0.25


def test_shifted_and_larger_images_are_seen_too():
    scene = Scene("single_object", "mint", (Thing("giraffe", "purple", 16, 24),))
    large = render_scene(scene).repeat(2, 0).repeat(2, 1)
    assert [(t.name, t.color) for t in detect(large).things] == [("giraffe", "purple")]
    moved = np.roll(render_scene(scene), 3, axis=1)
    assert [t.name for t in detect(moved, step=1).things] == ["giraffe"]
    with pytest.raises(EvalkitError, match="square"):
        detect(large[:, :60])


def test_the_suite_is_held_out_balanced_and_stable():
    prompts = world_prompts()
    assert len({p.caption for p in prompts}) == 500
    assert all(held_out(p.scene, p.caption) for p in prompts)
    counts = [sum(p.demand.task == task for p in prompts) for task in TASKS]
    assert max(counts) - min(counts) <= 1
    assert [p.caption for p in world_prompts(20)] == [p.caption for p in prompts[:20]]
    line = next(p for p in prompts if p.demand.task == "counting").metadata
    assert line["exclude"][0]["count"] == line["include"][0]["count"] + 1


def test_position_metadata_names_the_first_thing_second_as_geneval_does():
    line = next(p for p in world_prompts(30) if p.demand.task == "position").metadata
    assert line["include"][1]["position"][1] == 0
    assert set(line) == {"tag", "include", "prompt"}


@pytest.mark.parametrize("caption", ["a photo of a zebra", "dogs", "a red", "a cat beside a dog"])
def test_sentences_outside_the_grammar_are_refused(caption):
    with pytest.raises(EvalkitError):
        read_caption(caption)


def test_unknown_words_and_long_captions_are_refused():
    with pytest.raises(EvalkitError, match="'zebra'"):
        encode_caption("a photo of a zebra")
    with pytest.raises(EvalkitError, match="18 words"):
        encode_caption("a " * 19)
    assert encode_caption("") == [0] * LENGTH
    assert len(words()) == len(set(words()))


def test_the_world_is_as_large_as_it_says():
    assert len(CLASS_NAMES) >= 20
    assert len(COLOR_NAMES) >= 6
    assert "render_scene" in evalkit.world.__all__
    assert evalkit.world.render_scene is render_scene
    with pytest.raises(AttributeError):
        _ = evalkit.world.nothing


def test_unknown_tasks_and_too_many_prompts_are_refused():
    with pytest.raises(EvalkitError, match="no task"):
        world_prompts(5, task="swimming")
