"""The named grids hold exactly the strengths of the papers' code."""

import numpy as np
import pytest

from evalkit.watermark.attacks.grids import WAVES, waves_absolute
from evalkit.watermark.attacks.spelling import grids, read_attack, read_attacks


def image():
    return np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)


def test_waves_maps_relative_strengths_as_its_code_does():
    ends = {
        "rotation": (0, 45), "resizedcrop": (1, 0.5), "erasing": (0, 0.25), "brightness": (1, 2), "contrast": (1, 2),
        "blurring": (0, 20), "noise": (0, 0.1), "compression": (90, 10),
    }  # fmt: skip
    assert set(ends) == set(WAVES)
    for name, (low, high) in ends.items():
        assert waves_absolute(name, 0) == low
        assert waves_absolute(name, 1) == high
        assert waves_absolute(name, 0.5) == pytest.approx((low + high) / 2)


def test_jpeg_gets_worse_with_strength_and_fractions_are_cut_off():
    assert [waves_absolute("compression", s) for s in (0.2, 0.33, 1)] == [74, 63, 10]
    assert [waves_absolute("blurring", s) for s in (0.049, 0.05, 0.099, 0.2)] == [0, 1, 1, 4]


def test_the_no_op_trap_of_weak_blur_is_a_blur_of_nothing():
    weak = read_attack("waves:blurring:0.04")
    assert weak.name == "blur:0"
    assert np.array_equal(weak.apply(image()), image())
    assert not np.array_equal(read_attack("waves:blurring:0.05").apply(image()), image())


def test_the_waves_grid_is_named_by_absolute_strengths():
    names = [attack.name for attack in read_attacks(["waves"])]
    assert names[:5] == ["rotate:9", "rotate:18", "rotate:27", "rotate:36", "rotate:45"]
    for absolute in (
        "crop-area:0.9", "erase:0.05", "erase:0.25", "brightness:1.2", "contrast:2", "blur:4", "blur:20",
        "noise:0.02:floor", "noise:0.1:floor", "jpeg:74", "jpeg:10", "brightness:1.4+contrast:1.4",
    ):  # fmt: skip
        assert absolute in names
    assert names[-1] == ("rotate:45+crop-area:0.5+erase:0.25+brightness:2+contrast:2+blur:20+noise:0.1:floor+jpeg:10")
    assert len(names) == 60


def test_wmars_grid():
    names = set(grids()["wmar"])
    for strengths in (
        [f"gaussian:{k}" for k in range(1, 20, 2)],
        [f"noise:{0.025 * i:g}" for i in range(1, 9)],
        [f"jpeg:{q}" for q in (100, *range(95, 0, -10))],
        [f"brightness:{1 + 0.25 * i:g}" for i in range(1, 9)],
        [f"rotate:{d}" for d in (-20, -15, -10, -5, 5, 10, 15, 20)],
        [f"crop:{0.95 - 0.05 * i:g}:corner" for i in range(10)],
        ["flip"],
    ):
        assert set(strengths) <= names
        names -= set(strengths)
    assert not names


def test_bitmarks_grid_keeps_what_its_code_really_does():
    names = set(grids()["bitmark"])
    assert {f"gaussian:{k}:random" for k in range(1, 20, 2)} <= names  # its sigma is drawn, whatever the kernel
    assert {"rotate-random:-10:10", "rotate-random:-350:350"} <= names  # its degrees are bounds
    assert {f"noise:{s}:floor" for s in (0.05, 0.1, 0.15, 0.2)} <= names
    assert {"jitter:0", "jitter:0.9", "crop:0.5", "jpeg:10", "flip", "flip:vertical"} <= names
    (everything,) = (read_attack(name) for name in names if "+" in name)
    assert everything.steps[0].parameters["sigma"] * 255 == pytest.approx(25, abs=1e-4)
    assert everything.size == "kept"


def test_every_grid_reads_and_controls_hardly_change_images():
    for name in grids():
        assert len(read_attacks([name])) == len(grids()[name])
    smooth = np.add.outer(np.arange(48), np.arange(48))[..., None].repeat(3, 2).astype(np.uint8)
    for attack in read_attacks(["controls"]):
        assert np.abs(attack.apply(smooth).astype(int) - smooth).max() <= 2
