from random import Random

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.world.render import render_scene, sprite
from evalkit.world.scene import SIDE, SPRITE, STEP, TASKS, draw_scene
from evalkit.world.vocabulary import CLASS_NAMES, CLASSES, COLOR_NAMES, GROUNDS, class_index, with_article


@pytest.mark.parametrize("task", TASKS)
def test_things_of_a_scene_stand_on_the_grid_and_never_overlap(task):
    rng = Random(task)
    for _ in range(200):
        things = draw_scene(task, rng).things
        for i, a in enumerate(things):
            assert a.x % STEP == a.y % STEP == 0
            assert 0 <= a.x <= SIDE - SPRITE
            assert 0 <= a.y <= SIDE - SPRITE
            assert all(abs(a.x - b.x) >= SPRITE or abs(a.y - b.y) >= SPRITE for b in things[i + 1 :])


@pytest.mark.parametrize("task", TASKS)
def test_a_scene_depends_on_the_seed_alone(task):
    assert draw_scene(task, Random(7)) == draw_scene(task, Random(7))
    assert len({draw_scene(task, Random(seed)) for seed in range(50)}) > 40


def test_position_scenes_show_their_relation():
    sign = {"left of": (0, -1), "right of": (0, 1), "above": (1, -1), "below": (1, 1)}
    seen = set()
    for seed in range(200):
        scene = draw_scene("position", Random(seed))
        axis, direction = sign[scene.relation]
        offset = [scene.things[0].x - scene.things[1].x, scene.things[0].y - scene.things[1].y]
        assert offset[axis] * direction >= SPRITE
        assert abs(offset[1 - axis]) <= STEP
        seen.add(scene.relation)
    assert seen == set(sign)


def test_counting_scenes_hold_two_to_four_things_of_one_class():
    counts = {len(s.things) for s in (draw_scene("counting", Random(i)) for i in range(100)) if len({*s.things})}
    assert counts == {2, 3, 4}
    assert all(len({t.name for t in draw_scene("counting", Random(i)).things}) == 1 for i in range(50))


def test_colors_of_a_pair_differ():
    for seed in range(100):
        first, second = draw_scene("color_attr", Random(seed)).things
        assert first.color != second.color
        assert first.name != second.name


def test_the_same_scene_gives_the_same_bytes_and_is_ground_outside_its_things():
    scene = draw_scene("color_attr", Random(3))
    image = render_scene(scene)
    assert image.shape == (SIDE, SIDE, 3)
    assert image.dtype == np.uint8
    assert image.tobytes() == render_scene(scene).tobytes()
    outside = np.ones((SIDE, SIDE), bool)
    for thing in scene.things:
        part = image[thing.y : thing.y + SPRITE, thing.x : thing.x + SPRITE].astype(int)
        assert (np.abs(part - GROUNDS[scene.ground]).max(2) > 20).mean() > 0.1
        outside[thing.y : thing.y + SPRITE, thing.x : thing.x + SPRITE] = False
    assert (image[outside] == GROUNDS[scene.ground]).all()


def test_every_look_of_every_class_is_different():
    looks = [sprite(c, k)[0] * sprite(c, k)[1] for c in CLASS_NAMES for k in (None, *COLOR_NAMES)]
    flat = np.stack(looks).reshape(len(looks), -1)
    distances = np.abs(flat[:, None, ::7] - flat[None, :, ::7]).mean(-1) + 255 * np.eye(len(looks))
    assert distances.min() > 3


def test_the_world_is_large_enough():
    assert len(CLASSES) >= 20
    assert len(COLOR_NAMES) >= 6
    names = [name for c in CLASSES for pair in c.names for name in set(pair)]
    assert len(names) == len(set(names))


def test_unknown_classes_are_named_with_those_that_exist():
    assert class_index("puppies") == class_index("dog")
    with pytest.raises(EvalkitError, match=r"no 'zebra'.*giraffe"):
        class_index("zebra")


@pytest.mark.parametrize(("words", "said"), [("apple", "an apple"), ("orange car", "an orange car"), ("cup", "a cup")])
def test_articles_are_english(words, said):
    assert with_article(words) == said
