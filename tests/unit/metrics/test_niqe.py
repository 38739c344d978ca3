"""NIQE against BasicSR's own code, its parts, and images that have no score."""

import math

import cv2
import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.metrics.niqe import block_features, halved, luminance, niqe, normalised, pristine

# calculate_niqe's own steps in basicsr 1.4.2 on the same whole grey levels, with its parameters; its resize is in float32
PEER = [
    (192, 288, 1, "gray", 15.0988867),
    (192, 288, 1, "y", 15.1829042),
    (300, 210, 2, "gray", 17.2134328),
    (300, 210, 2, "y", 16.7332391),
]


def textured(height, width, seed):
    rng = np.random.Generator(np.random.PCG64(seed))
    x, y = np.linspace(0, 6, width)[None, :, None], np.linspace(0, 4, height)[:, None, None]
    wave = 110 + 60 * np.sin(x + np.arange(3)) * np.cos(y)
    return np.clip(wave + rng.normal(0, 9, (height, width, 3)), 0, 255).astype(np.uint8)


def photo():
    return next(open_images("sample/photos").read(0, 1, threads=1)).image


@pytest.mark.parametrize(("height", "width", "seed", "luma", "value"), PEER)
def test_values_are_those_of_basicsr(height, width, seed, luma, value):
    assert niqe(textured(height, width, seed), luma) == pytest.approx(value, rel=3e-5)


def test_a_photograph_is_near_the_pristine_images_and_what_is_done_to_it_takes_it_away():
    image = photo()
    rng = np.random.default_rng(0)
    noisy = np.clip(image + rng.normal(0, 25, image.shape), 0, 255).astype(np.uint8)
    blurred = cv2.GaussianBlur(image, (0, 0), 3)
    plain = niqe(image)
    assert 1.5 < plain < 4
    assert niqe(noisy) > plain + 2
    assert niqe(blurred) > plain + 2


def test_blocks_that_the_border_cuts_are_left_out():
    image = textured(200, 300, 3)
    assert niqe(image) == niqe(np.ascontiguousarray(image[:192, :288]))
    assert block_features(luminance(image, "gray")).shape == (6, 36)


def test_halving_keeps_means_and_straight_ramps():
    ramp = np.add.outer(np.arange(40.0), 3 * np.arange(60.0))
    small = halved(ramp)
    assert small.shape == (20, 30)
    inner = ramp.reshape(20, 2, 30, 2).mean((1, 3))[3:-3, 3:-3]
    assert small[3:-3, 3:-3] == pytest.approx(inner)
    assert halved(np.full((8, 8), 7.0)) == pytest.approx(7.0)


def test_flat_regions_count_on_neither_side():
    gray = np.full((96, 192), 137.0)
    gray[:, 96:] = textured(96, 96, 4)[..., 0]
    assert not normalised(gray)[10:-10, 10:80].any()
    assert np.isnan(block_features(np.full((96, 192), 137.0))).any(1).all()


@pytest.mark.parametrize("image", [np.zeros((400, 400, 3), np.uint8), textured(96, 191, 5), textured(95, 400, 5)])
def test_images_without_two_blocks_of_structure_have_no_score(image):
    assert math.isnan(niqe(image))


def test_the_model_is_that_of_36_features():
    model = pristine()
    assert model.mean.shape == (36,)
    assert np.linalg.eigvalsh(model.covariance).min() > 0


def test_anything_but_8_bit_colour_is_refused():
    with pytest.raises(EvalkitError, match="uint8"):
        niqe(np.zeros((192, 192, 3)))
