from itertools import combinations, pairwise
from random import Random

import pytest

from evalkit.errors import EvalkitError
from evalkit.prompts.load import load_prompts
from evalkit.world.captions import Demand, Wanted
from evalkit.world.detector import Detection, Seen
from evalkit.world.judge import verdict
from evalkit.world.second.captions import demand_of, describe, held_out, held_pair, write_caption
from evalkit.world.second.prompts import second_prompts
from evalkit.world.second.scene import TASKS, Scene, Thing, draw_scene, pairs_of
from evalkit.world.second.vocabulary import CLASS_NAMES, STYLES, classes_of
from evalkit.world.second.words import lexicon


def _seen(scene):
    """What a perfect detector finds in a scene."""
    things = tuple(
        Detection(t.name, t.color, tuple(int(p) for p in _box(t)), 1.0 - i / 100) for i, t in enumerate(scene.things)
    )
    return Seen(scene.ground, things, scene.style)


def _box(thing):
    half = thing.size / 2
    return (thing.x - half, thing.y - half, thing.x + half, thing.y + half)


@pytest.mark.parametrize("task", TASKS)
def test_a_scene_meets_the_demand_of_its_own_caption(task):
    rng = Random(task)
    for _ in range(60):
        scene = draw_scene(task, rng)
        caption, demand = describe(scene, rng)
        found = verdict(demand, _seen(scene))
        assert found.correct, (caption, found.reason)
        assert found.task == task


@pytest.mark.parametrize("task", TASKS)
def test_other_scenes_of_the_task_rarely_meet_it(task):
    rng = Random(task)
    scenes = [draw_scene(task, rng) for _ in range(60)]
    right = [verdict(describe(a, rng)[1], _seen(b)).correct for a, b in pairwise(scenes)]
    assert sum(right) <= 6


@pytest.mark.parametrize("task", TASKS)
def test_every_caption_fits_the_vocabulary_of_world_ar2(task):
    rng = Random(task)
    for _ in range(200):
        numbers = lexicon().encode(describe(draw_scene(task, rng), rng)[0])
        assert len(numbers) == 26
        assert max(numbers) <= len(lexicon().words)


def test_captions_say_what_they_demand():
    rng = Random(0)
    said = {
        "one": Demand("color_natural", (Wanted("dog", 1, "red"), Wanted("cup", 1, "natural"))),
        "two": Demand("mixed_counts", (Wanted("scissors", 2), Wanted("bus", 3))),
        "three": Demand("three_objects", (Wanted("dog"), Wanted("apple"), Wanted("key"))),
        "four": Demand("size", (Wanted("cat", size="big"), Wanted("furniture", size="small"))),
    }
    found = {name: write_caption(demand, rng) for name, demand in said.items()}
    assert any(f"a red dog {joint} a cup" in found["one"] for joint in ("and", "together with", "next to"))
    assert "two pairs of scissors" in found["two"]
    assert "three buses" in found["two"]
    assert found["three"].endswith("a dog, an apple and a key")
    assert "piece of furniture" in found["four"]
    excluded = write_caption(Demand("negation", (Wanted("dog"),), absent=("umbrella",)), rng)
    assert excluded.endswith(("dog without an umbrella", "dog but not an umbrella", "dog and not an umbrella"))
    assert write_caption(Demand("style", (Wanted("dog"),), style="neon"), rng).startswith(STYLES["neon"])


def test_wordings_vary_with_synonyms_hypernyms_misspellings_and_grounds():
    scene = Scene("single_object", "brick", "photo", (Thing("dog", None, 40, 40, 30),), 0)
    said = [describe(scene, Random(i)) for i in range(1500)]
    words = " ".join(caption for caption, _ in said).split()
    assert {"dog", "puppy", "hound", "animal", "dgo", "brick"} <= set(words)
    general = [demand for caption, demand in said if "animal" in caption]
    assert all(demand.wanted[0].classes == classes_of("animal") for demand in general)
    plain = {describe(scene, Random(i), variety=0.0)[0].split()[-1] for i in range(200)}
    assert plain == {"dog"}


def test_a_hypernym_is_met_by_each_of_its_classes_and_no_other():
    demand = Demand("single_object", (Wanted("animal", classes=classes_of("animal")),))
    for name in ("dog", "fish"):
        assert verdict(demand, Seen("brick", (Detection(name, None, (0, 0, 9, 9), 1.0),))).correct
    assert (
        "1 animal wanted, 0 found"
        in verdict(demand, Seen("brick", (Detection("car", None, (0, 0, 9, 9), 1.0),))).reason
    )


def _thing(name, side=20, color=None, x=0):
    return Detection(name, color, (x, 0, x + side, side), 0.9)


@pytest.mark.parametrize(
    ("demand", "things", "reason"),
    [
        (
            Demand("negation", (Wanted("dog"),), absent=("cat",)),
            [_thing("dog"), _thing("cat")],
            "no cat wanted, 1 found",
        ),
        (
            Demand("size", (Wanted("dog", size="big"), Wanted("cat", size="small"))),
            [_thing("dog"), _thing("cat")],
            "big thing is 20",
        ),
        (
            Demand("size", (Wanted("dog", size="small"), Wanted("cat", size="big"))),
            [_thing("dog"), _thing("cat", 40)],
            "",
        ),
        (Demand("style", (Wanted("dog"),), style="neon"), [_thing("dog")], "style neon wanted, photo found"),
        (
            Demand("mixed_counts", (Wanted("dog", 2), Wanted("cat"))),
            [_thing("dog")] * 3 + [_thing("cat")],
            "2 dog wanted, 3 found",
        ),
        (
            Demand("color_natural", (Wanted("dog", 1, "natural"),)),
            [_thing("dog", color="red")],
            "natural dog wanted, red found",
        ),
    ],
)
def test_a_verdict_names_what_is_missing(demand, things, reason):
    found = verdict(demand, Seen("plain", tuple(things), "photo"))
    assert found.correct == (not reason)
    assert reason in found.reason


def test_at_least_a_hundred_pairs_are_held_out_in_every_task_and_wording():
    held = [pair for pair in combinations(sorted(CLASS_NAMES), 2) if held_pair(pair)]
    assert 100 <= len(held) <= 200
    assert held_pair(held[0][::-1])
    a, b = (Thing(name, None, 30 + 40 * i, 40, 24) for i, name in enumerate(held[0]))
    for task, things, absent in (
        ("position", (a, b), ()),
        ("negation", (a,), (b.name,)),
        ("three_objects", (a, b, a), ()),
    ):
        assert held_out(Scene(task, "plain", "photo", things, 0, absent=absent), "any words")


def test_the_suite_holds_600_different_held_out_captions_of_twelve_tasks():
    prompts = second_prompts()
    assert len({p.caption for p in prompts}) == len({p.id for p in prompts}) == 600
    assert all(held_out(p.scene, p.caption) for p in prompts)
    assert {task: sum(p.demand.task == task for p in prompts) for task in TASKS} == dict.fromkeys(TASKS, 50)
    used = {pair for p in prompts for pair in pairs_of(p.scene) if held_pair(pair)}
    assert len(used) >= 100
    assert second_prompts(24) == prompts[:24]
    assert [(p.id, p.prompt) for p in load_prompts("world2").prompts] == [(p.id, p.caption) for p in prompts]


def test_metadata_add_to_genevals_what_the_tasks_need():
    rows = {p.demand.task: p.metadata for p in second_prompts(12)}
    assert rows["style"]["style"] in STYLES
    assert rows["negation"]["exclude"][0]["count"] == 1
    assert {r["size"] for r in rows["size"]["include"]} == {"big", "small"}
    assert [r["count"] for r in rows["mixed_counts"]["exclude"]] == [
        r["count"] + 1 for r in rows["mixed_counts"]["include"]
    ]
    with pytest.raises(EvalkitError, match="no task 'colour'"):
        second_prompts(5, task="colour")


def test_a_demand_leaves_the_extra_thing_of_a_negation_open():
    scene = Scene(
        "negation",
        "plain",
        "photo",
        (Thing("dog", None, 20, 20, 24), Thing("cup", None, 60, 60, 24)),
        0,
        absent=("cat",),
    )
    assert demand_of(scene) == Demand("negation", (Wanted("dog"),), absent=("cat",))
