import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tv

from evalkit.encoders.resize import WAYS, resized
from evalkit.errors import EvalkitError

SIZES = ((40, 61), (128, 97), (24, 24), (9, 70))


def images(height, width, n=2):
    x = torch.randint(0, 256, (n, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(height))
    x[:, :, : height // 3] = 255  # hard edges make a bicubic filter overshoot
    x[:, :, height // 3 : height // 2] = 0
    return x


def pillow(image, size, float_channels=False):
    pixels = image.permute(1, 2, 0).numpy()
    if not float_channels:
        return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.BICUBIC))
    channels = [
        np.asarray(Image.fromarray(pixels[..., c].astype(np.float32)).resize(size, Image.Resampling.BICUBIC))
        for c in range(3)
    ]
    return np.stack(channels, -1).clip(0, 255)


def grey(tensor):
    return tensor.permute(1, 2, 0).numpy()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_way_gives_floats_on_the_grey_scale_whatever_the_batch(way, size):
    x = images(*size)
    together = resized(x, 24, way)
    assert together.shape == (2, 3, 24, 24)
    assert together.dtype == torch.float32
    assert torch.allclose(together, torch.cat([resized(x[i : i + 1], 24, way) for i in (0, 1)]), atol=1e-5)
    assert together.std() > 1


@pytest.mark.parametrize("way", WAYS)
def test_a_square_of_the_side_itself_is_left_alone(way):
    x = images(24, 24)
    assert torch.allclose(resized(x, 24, way), x.float(), atol=1e-4)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_clean_fids_filter_is_pillows_on_floats(size):
    x = images(*size)
    for one, found in zip(x, resized(x, 24, "bicubic-float"), strict=True):
        assert np.abs(grey(found) - pillow(one, (24, 24), float_channels=True)).max() < 1e-3


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_square_of_cmmds_reader_is_pillows(size):
    x = images(*size, n=1)
    height, width = size
    short = min(size)
    square = x[0][:, (height - short) // 2 :, (width - short) // 2 :][:, :short, :short]
    assert np.array_equal(grey(resized(x, 24, "square-bicubic")[0]), pillow(square, (24, 24)))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_hpsv2s_way_keeps_the_aspect_and_pads_with_black(size):
    x = images(*size, n=1)
    scale = 24 / max(size)
    new = [round(side * scale) for side in size]
    small = tv.resize(x.float(), new, InterpolationMode.BICUBIC, antialias=True)
    down, across = 24 - new[0], 24 - new[1]
    wanted = tv.pad(small, [across // 2, down // 2, across - across // 2, down - down // 2]) if scale != 1 else small
    assert torch.allclose(resized(x, 24, "fit-bicubic"), wanted, atol=1e-3)


@pytest.mark.parametrize("size", [*SIZES, (100, 67), (61, 100), (77, 50)], ids=str)
def test_clips_ways_are_those_of_torchvision_and_transformers(size):
    x = images(*size, n=1)
    image = Image.fromarray(np.ascontiguousarray(grey(x[0])))
    wanted = tv.center_crop(tv.resize(image, 24, InterpolationMode.BICUBIC), 24)
    assert np.array_equal(grey(resized(x, 24, "clip")[0]), np.asarray(wanted))
    small = tv.resize(image, 24, InterpolationMode.BICUBIC)  # transformers floors like torchvision here
    left, top = ((each - 24) // 2 for each in small.size)
    assert np.array_equal(
        grey(resized(x, 24, "clip-transformers")[0]), np.asarray(small)[top : top + 24, left : left + 24]
    )


def test_the_ways_differ():
    x = images(73, 50)
    found = [resized(x, 24, way) for way in WAYS]
    for i, one in enumerate(found):
        assert all((one - other).abs().max() > 0.1 for other in found[:i])


def test_an_unknown_way_names_the_known_ones():
    with pytest.raises(EvalkitError, match=r"no way to resize called 'nearest'. Use one of tf1-bilinear"):
        resized(images(9, 9), 4, "nearest")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_large_image_in_strips_is_the_whole_image(way, size, monkeypatch):
    x = images(*size)
    whole = resized(x, 24, way)
    monkeypatch.setattr("evalkit.encoders.interpolate.WHOLE", 200)
    assert torch.allclose(resized(x, 24, way), whole, atol=2e-4)
