import cv2
import numpy as np
import pytest

from evalkit.encoders.detectors.resize import MEAN, STD, Scale, network_input


@pytest.mark.parametrize(
    ("given", "inside", "padded"),
    [
        ((512, 512), (800, 800), (800, 800)),
        ((1024, 1024), (800, 800), (800, 800)),
        ((480, 640), (800, 1067), (800, 1088)),
        ((400, 1000), (533, 1333), (544, 1344)),
        ((1, 4000), (1, 1333), (32, 1344)),
    ],
)
def test_sides_follow_the_short_side_unless_the_long_one_is_too_long(given, inside, padded):
    assert Scale().size(*given) == inside
    assert Scale().padded(*inside) == padded


def test_the_input_is_normalised_inside_and_zero_outside():
    image = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    x = network_input(image, Scale(48, 96, 32)).numpy()
    assert x.shape == (3, 64, 96)
    back = x[:, :48, :80].transpose(1, 2, 0) * np.array(STD) + np.array(MEAN)
    assert np.abs(back - cv2.resize(image, (80, 48), interpolation=cv2.INTER_LINEAR)).max() < 1e-3
    assert not x[:, 48:].any()
    assert not x[:, :, 80:].any()
