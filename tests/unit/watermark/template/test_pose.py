"""Where a pattern lies after edits, and that other keys see nothing."""

import numpy as np
import pytest
from PIL import Image

from evalkit.images import open_images
from evalkit.images.geometry import fit_square
from evalkit.watermark.attacks.spelling import Options, read_attacks
from evalkit.watermark.embed.patterned import patterned
from evalkit.watermark.keys import Key
from evalkit.watermark.template import pose
from evalkit.watermark.template.pose import SIDE, Pose, found_pose, pattern_square

ONE, OTHER = Key(bytes(range(32))), Key(bytes(range(1, 33)))


@pytest.fixture(scope="module")
def photo():
    return next(each.image for each in open_images("sample/photos").read(0, 9) if "cat" in each.id)


@pytest.fixture(scope="module")
def marked(photo):
    return patterned(photo, ONE, 10 ** (-48 / 20))


def square(image, attack):
    (edit,) = read_attacks([attack], Options())
    return fit_square(edit.apply(image, 0), SIDE, "short-bicubic")


@pytest.mark.parametrize(
    ("attack", "flip", "scale", "angle"),
    [
        ("png", False, 1.0, 0.0),
        ("flip+jpeg:60", True, 1.0, 0.0),
        ("crop:0.83:corner", False, 0.83, 0.0),
        ("rotate:3", False, 1.0, -3.0),
        ("flip:vertical", True, 1.0, 180.0),
        ("crop:0.75:random+jpeg:50", False, 0.75, 0.0),
        ("rotate:90", False, 1.0, -90.0),
    ],
)
def test_an_edit_is_read_off_the_pattern(marked, attack, flip, scale, angle):
    found = found_pose(square(marked, attack), (OTHER, ONE))
    assert found.flip == flip
    assert found.scale == pytest.approx(scale, rel=0.006)
    assert found.angle == pytest.approx(angle, abs=0.3)
    assert found.peak > 6


def test_a_shift_is_found_to_a_quarter_of_a_pixel_and_undone(marked):
    found = found_pose(square(marked, "shift:-9:6"), (ONE,))
    assert np.array([found.dx, found.dy]) * SIDE == pytest.approx([-9 * SIDE / 300, 6 * SIDE / 300], abs=0.25)
    back = found.warp(square(marked, "shift:-9:6"))
    inner = slice(16, -16)
    away = back[inner, inner].astype(float) - square(marked, "png")[inner, inner]
    assert np.abs(away).mean() < 2


def test_without_the_pattern_or_its_key_hardly_an_image_seems_to_hold_one(marked, photo):
    keys = [Key(bytes(range(start, start + 32))) for start in range(2, 17)]
    found = [found_pose(square(image, "png"), [key]) for image in (marked, photo) for key in keys]
    assert sum(each is not None for each in found) <= 2  # 0.1 are expected of 30


def test_an_image_without_any_texture_holds_no_pattern():
    assert found_pose(np.zeros((SIDE, SIDE, 3), np.uint8), (ONE,)) is None
    assert found_pose(np.full((SIDE, SIDE, 3), 200, np.uint8), (ONE,)) is None
    assert found_pose(np.full((SIDE, SIDE, 3), 200, np.uint8), ()) is None


@pytest.mark.parametrize("shape", [(300, 451), (512, 512), (1000, 700), (128, 200)])
def test_the_square_is_that_of_every_other_step_to_a_level(photo, shape):
    image = np.asarray(Image.fromarray(photo).resize(shape[::-1]))
    assert not image.flags.writeable  # of which torch would warn
    away = pattern_square(image).astype(int) - fit_square(image, SIDE, "short-bicubic")
    assert np.abs(away).max() <= 2
    assert np.abs(away).mean() < 0.02


def test_no_shift_is_looked_for_where_no_pose_has_power(photo, monkeypatch):
    tried = []
    monkeypatch.setattr(pose, "_placed", lambda spectrum, each, drawn: tried.append(each) or each)
    keys = [Key(bytes(range(start, start + 32))) for start in range(2, 42)]
    for key in keys:
        found_pose(photo, [key])
    assert len(tried) < 2.2 * len(keys)  # of four; 1.3 are expected


def test_no_grid_of_the_image_s_own_is_taken_for_a_pattern():
    """Stripes and checks have few loud frequencies, as the pattern has."""
    down, right = np.mgrid[:SIDE, :SIDE]
    for across, period in ((False, 5), (False, 8), (True, 4), (True, 7.3)):
        wave = np.cos(2 * np.pi * right / period) * (np.cos(2 * np.pi * down / period) if across else 1)
        image = np.repeat((128 + 100 * np.sign(wave)).clip(0, 255).astype(np.uint8)[..., None], 3, 2)
        assert found_pose(image, (ONE, OTHER)) is None


def test_what_a_pose_does_not_show_is_black_and_known_to_be():
    white = np.full((64, 64, 3), 255, np.uint8)
    moved = Pose(scale=0.8, angle=5, dx=0.1)
    known = moved.warp(white[..., 0], sharp=True) > 0
    assert 0.5 < known.mean() < 0.7
    assert moved.warp(white)[~known].mean() < 60
    assert np.array_equal(Pose(flip=True).warp(white), white)
    assert np.array_equal(Pose().warp(np.asarray(Image.linear_gradient("L"))), np.asarray(Image.linear_gradient("L")))
