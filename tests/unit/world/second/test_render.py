from random import Random

import numpy as np
import torch

from evalkit.world.second.grounds import draw_grounds
from evalkit.world.second.noise import grain, uniform
from evalkit.world.second.pack import pack
from evalkit.world.second.render import boxes, extents, render, render_scene, render_scenes
from evalkit.world.second.scene import SIDE, TASKS, Scene, Thing, draw_scene
from evalkit.world.second.vocabulary import CLASS_NAMES, GROUNDS, STYLE_NAMES

SCENES = [draw_scene(task, Random(f"{task}-{i}")) for task in TASKS for i in range(6)]


def test_an_image_is_the_same_alone_and_in_any_batch():
    rows = pack(SCENES)
    whole = render(rows)
    assert torch.equal(whole.flip(0), render(rows.flip(0)))
    for i in (0, 17, 71):
        assert torch.equal(whole[i], render(rows[i : i + 1])[0])


def test_images_are_whole_levels_of_96_px():
    drawn = render(pack(SCENES))
    assert drawn.shape == (len(SCENES), 3, SIDE, SIDE)
    assert torch.equal(drawn, drawn.round())
    assert drawn.min() >= 0
    assert drawn.max() <= 255
    image = render_scene(SCENES[0])
    assert (image.dtype, image.shape) == (np.uint8, (SIDE, SIDE, 3))
    assert image.tobytes() == render_scenes(SCENES)[0].tobytes()


def test_a_thing_changes_its_box_and_little_else():
    bare = Scene("", "wooden", "photo", (), 5)
    thing = Thing("dog", "blue", 60, 33, 36, 8)
    changed = render(pack([Scene("", "wooden", "photo", (thing,), 5)]))[0] != render(pack([bare]))[0]
    rows, columns = changed.any(0).nonzero(as_tuple=True)
    x, y, width, height = boxes(pack([Scene("", "wooden", "photo", (thing,), 5)]))[0, 0].tolist()
    for low, high, middle, length in ((columns.min(), columns.max(), x, width), (rows.min(), rows.max(), y, height)):
        assert abs(float(low + high + 1) / 2 - middle) <= 2.5
        assert abs(float(high - low + 1) - length) <= 6


def test_what_no_caption_speaks_of_follows_from_the_seed():
    thing = (Thing("cup", None, 40, 40, 30),)
    images = [render_scene(Scene("", "gradient", "photo", thing, seed)) for seed in (1, 1, 2)]
    assert np.array_equal(images[0], images[1])
    assert np.abs(images[0].astype(int) - images[2]).mean() > 3


def test_grounds_and_styles_differ():
    grounds = draw_grounds(torch.full((len(GROUNDS),), 9, dtype=torch.int32), torch.arange(len(GROUNDS)))
    styles = [
        render_scene(Scene("", "plain", s, (Thing("car", None, 48, 48, 50),), 3)).astype(float) for s in STYLE_NAMES
    ]
    for made in (list(grounds.numpy()), styles):
        for i, a in enumerate(made):
            assert all(np.abs(a - b).mean() > 2 for b in made[i + 1 :])


def test_colours_are_seen_and_natural_things_are_not_painted():
    red, blue, natural = (
        render_scene(Scene("", "plain", "photo", (Thing("hat", c, 48, 48, 50),), 4)).astype(float)
        for c in ("red", "blue", None)
    )
    middle = (slice(44, 54), slice(44, 54))
    assert red[middle][..., 0].mean() > red[middle][..., 2].mean() + 60
    assert blue[middle][..., 2].mean() > blue[middle][..., 0].mean() + 60
    assert np.ptp(natural[middle].mean((0, 1))) < 40


def test_every_look_of_every_class_differs_from_every_other():
    looks = [
        Scene("", "plain", "photo", (Thing(n, c, 48, 48, 44),), 3) for n in CLASS_NAMES for c in (None, "red", "blue")
    ]
    flat = render(pack(looks))[:, :, 24:72:2, 24:72:2].flatten(1)
    apart = torch.cdist(flat, flat, p=1) / flat.shape[1]
    assert float((apart + 255 * torch.eye(len(looks))).min()) > 4


def test_numbers_from_seeds_are_even_and_known():
    seeds = torch.arange(4000, dtype=torch.int32)
    numbers = uniform(seeds, 3, 2)
    assert abs(float(numbers.mean()) - 0.5) < 0.02
    assert abs(float(torch.corrcoef(numbers.T)[0, 1])) < 0.05
    film = grain(seeds[:8], 1)
    assert abs(float(film.mean())) < 0.02
    assert abs(float(film.std()) - 1) < 0.02
    torch.testing.assert_close(uniform(torch.tensor([1, 2**31 - 1], dtype=torch.int32), 7)[:, 0], torch.tensor(GOLDEN))


GOLDEN = [0.9716506600379944, 0.5762489438056946]


def test_extents_are_shares_of_the_longest_side():
    assert extents().shape == (len(CLASS_NAMES), 2)
    assert float(extents().amax(1).min()) > 0.85
    giraffe = extents()[CLASS_NAMES.index("giraffe")]
    assert giraffe[0] < giraffe[1]
