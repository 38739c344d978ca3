from random import Random

import pytest

import evalkit.world as world
from evalkit.errors import EvalkitError
from evalkit.world.captions import Wanted, demand_of, held_out, read_caption, write_caption
from evalkit.world.prompts import world_prompts
from evalkit.world.scene import TASKS, Scene, Thing, draw_scene
from evalkit.world.suite import world_suite
from evalkit.world.text import LENGTH, PAD, encode_caption, words


@pytest.mark.parametrize("task", TASKS)
def test_reading_a_caption_gives_back_what_was_written(task):
    rng = Random(task)
    for _ in range(300):
        scene = draw_scene(task, rng)
        caption = write_caption(scene, rng)
        read, meant = read_caption(caption), demand_of(scene)
        assert (read.task, read.wanted, read.relation) == (meant.task, meant.wanted, meant.relation)
        assert read.ground in (None, scene.ground)
        assert (read.ground is not None) == ("background" in caption)


@pytest.mark.parametrize("task", TASKS)
def test_every_caption_fits_the_vocabulary_of_world_ar(task):
    rng = Random(task)
    for _ in range(300):
        numbers = encode_caption(write_caption(draw_scene(task, rng), rng))
        assert len(numbers) == LENGTH
        assert max(numbers) <= len(words())


@pytest.mark.parametrize(
    ("caption", "wanted", "relation"),
    [
        ("a photo of a dog", (Wanted("dog"),), None),
        ("A photo of three kittens.", (Wanted("cat", 3),), None),
        ("two pairs of scissors", (Wanted("scissors", 2),), None),
        ("a picture of a pair of green scissors", (Wanted("scissors", 1, "green"),), None),
        ("a photo of an apple to the left of a mug", (Wanted("apple"), Wanted("cup")), "left of"),
        ("a red alarm clock and a blue seat", (Wanted("clock", 1, "red"), Wanted("chair", 1, "blue")), None),
    ],
)
def test_captions_are_read_as_people_read_them(caption, wanted, relation):
    found = read_caption(caption)
    assert (found.wanted, found.relation) == (wanted, relation)


@pytest.mark.parametrize("caption", ["", "a zebra", "dog", "a photo of five dogs", "a dog behind a cat"])
def test_a_caption_outside_the_grammar_is_refused_with_examples(caption):
    with pytest.raises(EvalkitError, match="three cups"):
        read_caption(caption)


def test_a_held_out_pair_is_held_out_in_every_task_order_and_wording():
    rng = Random(0)
    state = {}
    for _ in range(4000):
        scene = draw_scene(rng.choice(("two_object", "position", "color_attr")), rng)
        pair = frozenset(t.name for t in scene.things)
        state.setdefault(pair, set()).add(held_out(scene, write_caption(scene, rng)))
    assert all(len(kinds) == 1 for kinds in state.values())
    share = sum(kinds == {True} for kinds in state.values()) / len(state)
    assert 0.04 < share < 0.16


def test_the_wording_is_held_out_where_there_is_one_class():
    rng = Random(0)
    scene = Scene("single_object", "white", (Thing("dog", None, 0, 0),))
    assert {held_out(scene, write_caption(scene, rng)) for _ in range(200)} == {True, False}


def test_the_suite_holds_500_different_held_out_captions():
    prompts = world_prompts()
    assert len({p.caption for p in prompts}) == len({p.id for p in prompts}) == 500
    assert all(held_out(p.scene, p.caption) for p in prompts)
    assert {task: sum(p.demand.task == task for p in prompts) for task in TASKS} == dict(
        zip(TASKS, (84, 84, 83, 83, 83, 83), strict=True)
    )
    assert [p.prompt for p in world_suite().prompts] == [p.caption for p in prompts]


def test_prompts_depend_on_the_seed_alone_and_a_longer_list_goes_on():
    assert world_prompts(12, seed=4) == world_prompts(24, seed=4)[:12]


def test_metadata_are_genevals():
    rows = {p.demand.task: p.metadata for p in world_prompts(6)}
    assert [set(row) - {"exclude"} for row in rows.values()] == [{"tag", "include", "prompt"}] * 6
    counted = rows["counting"]
    assert counted["exclude"][0]["count"] == counted["include"][0]["count"] + 1
    second, first = rows["position"]["include"]
    assert first["position"][1] == 0
    assert "position" not in second
    assert all("color" in row for row in rows["color_attr"]["include"])


def test_prompts_of_one_task_and_what_cannot_be_asked():
    assert {p.demand.task for p in world_prompts(5, task="position")} == {"position"}
    with pytest.raises(EvalkitError, match=r"no task 'colour'.*color_attr"):
        world_prompts(5, task="colour")
    with pytest.raises(EvalkitError, match="no more held-out single_object"):
        world_prompts(2000, task="single_object")


def test_an_unknown_word_is_an_error_that_proposes_near_ones_and_lists_no_vocabulary():
    with pytest.raises(EvalkitError, match=r"'appel'. It knows \d+ words, near these 'apple'") as told:
        encode_caption("a photo of an appel")
    assert len(str(told.value)) < 250
    with pytest.raises(EvalkitError, match=f"at most {LENGTH} words"):
        encode_caption("a " * (LENGTH + 1))
    assert encode_caption("") == [PAD] * LENGTH


def test_the_public_names_are_found_whatever_was_imported_before():
    for name in dir(world):
        assert getattr(world, name).__name__ == name
    with pytest.raises(AttributeError, match=r"it has: .*world_prompts"):
        _ = world.nothing
