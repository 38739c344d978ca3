from random import Random

import pytest

from evalkit.errors import EvalkitError
from evalkit.world.judge import relations
from evalkit.world.second.pack import MOST_THINGS, ROW, pack, things_of
from evalkit.world.second.render import boxes
from evalkit.world.second.scene import ANGLE, SIDE, TASKS, Scene, Thing, crowded, draw_scene, pairs_of
from evalkit.world.second.vocabulary import (
    CLASSES,
    COLOR_NAMES,
    GROUNDS,
    HYPERNYMS,
    STYLE_NAMES,
    hypernyms_of,
    misspelt,
)


@pytest.mark.parametrize("task", TASKS)
def test_things_lie_within_the_image_and_never_overlap(task):
    rng = Random(task)
    for _ in range(100):
        things = draw_scene(task, rng).things
        for i, a in enumerate(things):
            assert a.size / 2 <= min(a.x, a.y)
            assert max(a.x, a.y) <= SIDE - a.size / 2
            assert abs(a.angle) <= ANGLE
            assert all(max(abs(a.x - b.x), abs(a.y - b.y)) >= (a.size + b.size) / 2 for b in things[i + 1 :])


@pytest.mark.parametrize("task", TASKS)
def test_a_scene_depends_on_the_seed_alone(task):
    assert draw_scene(task, Random(7)) == draw_scene(task, Random(7))
    assert len({draw_scene(task, Random(seed)) for seed in range(40)}) == 40


def test_places_are_not_on_a_grid():
    things = [draw_scene("single_object", Random(i)).things[0] for i in range(400)]
    assert len({t.x for t in things}) > 60
    assert len({t.size for t in things}) > 20
    assert len({t.angle for t in things}) == 2 * ANGLE + 1


class _Box:
    def __init__(self, middle):
        x, y, width, height = middle.tolist()
        self.box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def test_position_scenes_show_their_relation_and_no_other():
    for seed in range(120):
        scene = draw_scene("position", Random(seed))
        first, second = (_Box(middle) for middle in boxes(pack([scene]))[0][:2])
        assert relations(first, second) == {scene.relation}


def test_tasks_hold_what_they_are_named_after():
    for seed in range(60):
        drawn = {task: draw_scene(task, Random(seed)) for task in TASKS}
        names = {task: [t.name for t in scene.things] for task, scene in drawn.items()}
        assert len(set(names["counting"])) == 1 < len(names["counting"]) <= MOST_THINGS
        assert len(set(names["mixed_counts"])) == 2 < len(names["mixed_counts"]) <= MOST_THINGS
        assert len(set(names["three_objects"])) == 3
        assert not set(drawn["negation"].absent) & set(names["negation"])
        assert sorted(t.color is None for t in drawn["color_natural"].things) == [False, True]
        small, big = sorted(t.size for t in drawn["size"].things)
        assert big >= 1.4 * small
        assert drawn["style"].style != "photo"
        assert {scene.style for task, scene in drawn.items() if task != "style"} == {"photo"}


def test_crowded_scenes_show_every_ground_and_style():
    scenes = [crowded(Random(i)) for i in range(300)]
    assert {s.ground for s in scenes} == set(GROUNDS)
    assert {s.style for s in scenes} == set(STYLE_NAMES)
    assert all(not t.color for s in scenes if s.style != "photo" for t in s.things)


def test_the_world_is_as_large_as_it_says():
    assert len(CLASSES) >= 40
    assert len(STYLE_NAMES) > 6
    assert len(GROUNDS) == 6
    assert sum(bool(c.synonyms) for c in CLASSES) > 24
    assert {"animal", "vehicle", "fruit"} <= {h.name for h in HYPERNYMS}
    assert hypernyms_of("bicycle") == ("vehicle",)


def test_no_name_and_no_misspelling_means_two_things():
    known = [(c.name, name) for c in (*CLASSES, *HYPERNYMS) for pair in c.names for name in set(pair)]
    words = {word for _, name in known for word in name.split() if len(word) > 2}
    assert len({name for _, name in known}) == len(known)
    assert not {misspelt(word) for word in words} & (words | set(COLOR_NAMES))
    assert len({misspelt(word) for word in words}) == len(words)


def test_a_row_holds_a_scene_and_pairs_are_of_unlike_classes():
    scene = Scene("negation", "brick", "photo", (Thing("dog", "red", 20, 30, 26, -5),), 2**31 - 1, absent=("cat",))
    rows = pack([scene])
    assert rows.shape == (1, ROW)
    assert rows[0, 0] == 2**31 - 1
    assert things_of(rows)[0, 0].tolist() == [0, 1, 20, 30, 26, -5]
    assert (things_of(rows)[0, 1:, 0] == -1).all()
    assert pairs_of(scene) == {("cat", "dog")}


def test_what_does_not_exist_is_refused():
    with pytest.raises(EvalkitError, match=r"no task 'colour'.*color_natural"):
        draw_scene("colour", Random(0))
    with pytest.raises(EvalkitError, match="at most 5 things; 6 given"):
        pack([Scene("", "brick", "photo", (Thing("dog", None, 20, 30, 26),) * 6, 0)])
