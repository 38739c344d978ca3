"""Pillow's filters in torch give Pillow's own bytes."""

import numpy as np
import pytest
import torch

from evalkit.encoders import pillow_filter
from evalkit.encoders.pillow_filter import FILTERS, SWITCH, DeviceResize, resample
from evalkit.encoders.resize import WAYS, resized
from evalkit.errors import EvalkitError
from evalkit.images.geometry import METHODS, fit_square, resize_exact

SIZES = ((40, 61), (128, 97), (9, 70), (256, 256), (33, 24))
SHAPES = ((24, 24), (64, 17), (24, 61), (97, 130), (40, 61))


def image(height, width, seed=0):
    rng = np.random.default_rng([seed, height, width])
    drawn = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    drawn[: height // 3] = 255  # hard edges make filters overshoot
    drawn[height // 3 : height // 2, ::2] = 0
    return drawn


def tensor(pixels):
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_filter_gives_pillows_bytes(filter, size):
    pixels = image(*size)
    for shape in SHAPES:
        found = resample(tensor(pixels), shape, filter)[0].permute(1, 2, 0).numpy()
        assert np.array_equal(found, resize_exact(pixels, shape, filter)), shape


def test_pillows_bytes_hold_over_many_random_sizes():
    rng = np.random.default_rng(7)
    orders = set()
    for turn in range(60):
        before, after = tuple(map(int, rng.integers(8, 200, 2))), tuple(int(each) for each in rng.integers(4, 120, 2))
        pixels, filter = image(*before, seed=turn), list(FILTERS)[turn % len(FILTERS)]
        found = resample(tensor(pixels), after, filter)[0].permute(1, 2, 0).numpy()
        assert np.array_equal(found, resize_exact(pixels, after, filter)), (before, after, filter)
        orders.add(pillow_filter.across_comes_first(before, after, filter))
    assert None not in orders  # the device did it all


def test_sizes_at_which_pillow_does_otherwise_are_left_to_pillow(monkeypatch):
    plain, pixels = resize_exact(image(41, 61), (24, 24), "bicubic"), image(41, 61)
    monkeypatch.setattr(pillow_filter, "passes", lambda images, shape, *rest: images[..., : shape[0], : shape[1]])
    found = resample(tensor(pixels), (24, 24), "bicubic")[0].permute(1, 2, 0).numpy()
    assert np.array_equal(found, plain)


@pytest.mark.parametrize("way", ["bicubic-8bit", "square-bicubic", "clip", "clip-transformers"])
def test_evaluators_are_given_the_same_floats_on_either_way(way, monkeypatch):
    x = torch.cat([tensor(image(70, 45)), tensor(image(70, 45, seed=1))])
    plain = resized(x, 24, way)
    monkeypatch.setenv(SWITCH, "device")
    assert torch.equal(resized(x, 24, way), plain)
    assert set(WAYS) > {way}


@pytest.mark.parametrize("method", METHODS)
def test_squares_that_models_are_fed_are_the_same_bytes_on_either_way(method, monkeypatch):
    monkeypatch.setattr(pillow_filter, "LEAST", 1)
    monkeypatch.setenv(SWITCH, "device")
    asked = []
    resize = DeviceResize(torch.device("cpu"))

    def heard(*given):
        asked.append(given[1])
        return resize(*given)

    pixels = image(150, 97)
    assert np.array_equal(fit_square(pixels, 40, method, heard), fit_square(pixels, 40, method))
    assert asked or method == "crop"


def test_reading_threads_resize_unless_the_switch_says_device(monkeypatch):
    def refuse(*given):
        raise AssertionError

    monkeypatch.setattr(pillow_filter, "resample", refuse)
    monkeypatch.setattr(pillow_filter, "LEAST", 1)
    resize = DeviceResize(torch.device("cpu"))
    assert np.array_equal(resize(image(40, 61), (24, 24), "box"), resize_exact(image(40, 61), (24, 24), "box"))
    monkeypatch.setenv(SWITCH, "device")
    with pytest.raises(AssertionError):
        resize(image(40, 61), (24, 24), "box")
    assert resize(image(40, 61), (24, 24), "nearest").shape == (24, 24, 3)


def test_a_device_without_memory_leaves_it_to_pillow(monkeypatch):
    def full(*given):
        raise torch.cuda.OutOfMemoryError("full")

    monkeypatch.setattr(pillow_filter, "resample", full)
    monkeypatch.setattr(pillow_filter, "LEAST", 1)
    monkeypatch.setenv(SWITCH, "device")
    small = DeviceResize(torch.device("cpu"))(image(40, 61), (24, 24), "box")
    assert np.array_equal(small, resize_exact(image(40, 61), (24, 24), "box"))


def test_an_unknown_filter_is_a_sentence():
    with pytest.raises(EvalkitError, match="no filter called 'sharp'"):
        resample(tensor(image(9, 9)), (4, 4), "sharp")
