"""Edges, maps and subjects of two images."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from evalkit.errors import EvalkitError
from evalkit.metrics.consistency import canny, canny_f1, cosine, map_iou, map_rmse


def drawn(left, size=64):
    image = Image.new("RGB", (size, size), "white")
    ImageDraw.Draw(image).rectangle((left, 20, left + 20, 40), fill="black")
    return np.asarray(image)


def test_equal_edges_have_f1_1_and_moved_ones_less():
    assert canny_f1(drawn(10), drawn(10)) == 1
    assert canny(drawn(10)).sum() > 50
    assert 0 < canny_f1(drawn(10), drawn(14)) < 0.6
    blank = np.full((64, 64, 3), 255, np.uint8)
    assert canny_f1(blank, blank) == 1
    assert canny_f1(drawn(10), blank) == 0


def test_rmse_is_in_grey_levels():
    zeros = np.zeros((4, 4, 3), np.uint8)
    assert map_rmse(zeros, zeros + np.uint8(3)) == pytest.approx(3)


def test_iou_is_a_mean_over_the_wanted_colours():
    wanted, made = (np.zeros((2, 4, 3), np.uint8) for _ in range(2))
    wanted[:, 2:] = (255, 0, 0)
    made[:, 3:] = (255, 0, 0)
    made[0, 0] = (0, 0, 1)  # a colour that nobody wanted
    assert map_iou(wanted, made) == pytest.approx((3 / 6 + 2 / 4) / 2)


def test_cosine_of_features():
    assert cosine([3.0, 4.0], [4.0, 3.0]) == pytest.approx(0.96)
    with pytest.raises(EvalkitError, match="no direction"):
        cosine([0.0], [1.0])


def test_images_of_two_sizes_are_no_pair_of_maps():
    with pytest.raises(EvalkitError):
        canny_f1(drawn(10), drawn(10, 32))
