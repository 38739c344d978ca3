import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import transforms

from evalkit.errors import EvalkitError
from evalkit.images.decode import decode_image
from evalkit.images.encode import png_bytes
from evalkit.images.geometry import METHODS, fit_square, resize_exact


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@settings(max_examples=40, deadline=None)
@given(st.integers(40, 150), st.integers(40, 150), st.sampled_from([16, 32, 40]), st.sampled_from(sorted(METHODS)))
def test_every_method_gives_a_square_of_the_size(height, width, size, method):
    fitted = fit_square(noise(height, width), size, method)
    assert fitted.shape == (size, size, 3)
    assert fitted.dtype == np.uint8


@pytest.mark.parametrize("method", ["short-bicubic", "cover-lanczos", "adm", "short-bilinear", "crop"])
def test_a_image_of_the_size_is_left_alone(method):
    image = noise(32, 32)
    assert np.array_equal(fit_square(image, 32, method), image)


@pytest.mark.parametrize("shape", [(50, 81), (97, 64), (64, 64), (33, 200)])
@pytest.mark.parametrize("size", [24, 32])
def test_short_bilinear_is_torchvisions_resize_and_centre_crop(shape, size):
    image = noise(*shape)
    peer = transforms.Compose([transforms.Resize(size), transforms.CenterCrop(size)])
    assert np.array_equal(fit_square(image, size, "short-bilinear"), np.asarray(peer(Image.fromarray(image))))


@pytest.mark.parametrize("shape", [(50, 81), (97, 64)])
def test_var_lanczos_is_the_transform_of_its_trainer(shape):
    image = noise(*shape)
    lanczos = transforms.InterpolationMode.LANCZOS
    peer = transforms.Compose([transforms.Resize(round(1.125 * 32), interpolation=lanczos), transforms.CenterCrop(32)])
    assert np.array_equal(fit_square(image, 32, "var-lanczos"), np.asarray(peer(Image.fromarray(image))))


def test_adm_halves_with_a_box_first():
    image = noise(128, 128)
    halved = image.reshape(64, 2, 64, 2, 3).mean((1, 3))
    assert np.abs(fit_square(image, 64, "adm") - halved).max() <= 1


def test_cropping_a_smaller_image_and_unknown_ways_are_errors():
    with pytest.raises(EvalkitError, match="too small"):
        fit_square(noise(10, 10), 20, "crop")
    with pytest.raises(EvalkitError, match="known: short-bicubic"):
        fit_square(noise(10, 10), 20, "stretch")
    with pytest.raises(EvalkitError, match="resize filter"):
        resize_exact(noise(10, 10), (4, 4), "magic")


def test_png_bytes_are_lossless_and_deterministic():
    image = noise(9, 11)
    assert np.array_equal(decode_image(png_bytes(image)), image)
    assert png_bytes(image) == png_bytes(image)


@pytest.mark.parametrize("filter", ["nearest", "box", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("shape", [(20, 30), (300, 40), (9, 200), (120, 90)])
def test_an_image_resized_by_channels_is_that_resized_whole(filter, shape, monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (120, 91, 3), dtype=np.uint8)
    whole = resize_exact(image, shape, filter)
    monkeypatch.setattr("evalkit.images.geometry.LARGE", 500)
    assert np.array_equal(resize_exact(image, shape, filter), whole)
