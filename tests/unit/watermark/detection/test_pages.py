"""Heat maps, the QQ plot, and numbers as texts."""

import re

import numpy as np
import pytest

from evalkit.watermark.detection.heat import COLOURS, kinds, panels
from evalkit.watermark.detection.page import p_text
from evalkit.watermark.detection.qq import qq_plot, thinned


def test_the_first_of_equal_codes_is_counted_and_the_others_are_not():
    green, units = np.array([True, True, False, False, True]), np.array([5, 5, 9, 9, 3])
    known = np.array([True, True, True, True, False])
    assert kinds(green, units, known).tolist() == [0, 1, 2, 3, 4]


def test_a_panel_a_scale_each_cell_in_its_colour():
    kind = np.array([0, 1, 2, 3, 4])
    first, second = panels(kind, (2, 2), (1, 4), side=20)
    assert (first[1, 1:] == COLOURS[0]).all()
    cells = second.reshape(2, 10, 2, 10, 3)[:, 1, :, 5]
    assert np.array_equal(cells.reshape(4, 3), COLOURS[[1, 2, 3, 4]])


def test_codes_without_a_place_are_drawn_in_their_order():
    (panel,) = panels(np.array([0, 2, 0]), None, (), side=8)
    cells = panel.reshape(2, 5, 2, 5, 3)[:, 0, :, 4].reshape(4, 3)
    assert np.array_equal(cells, COLOURS[[0, 2, 0, 4]])


@pytest.mark.parametrize("side", [5, 16, 60])
def test_kinds_differ_in_shape_and_not_in_colour_alone(side):
    cells = [panels(np.array([kind]), None, (), side=side)[0][1:, 1:].astype(int).sum(-1) for kind in range(5)]
    shapes = [cell != cell[0, -1] for cell in cells]  # the upper right corner is ground
    assert np.array_equal(shapes[0], shapes[1])
    assert np.array_equal(shapes[2], shapes[3])
    assert not np.array_equal(shapes[0], shapes[2])
    assert shapes[0].any()
    assert shapes[2].any()
    assert not shapes[4].any()


@pytest.mark.parametrize(
    ("log10", "text"), [(0.0, "1.000"), (-2.0, "0.010"), (-3.0, "1.0e-3"), (-9.9999, "1.0e-10"), (None, "—")]
)
def test_p_values_as_texts(log10, text):
    assert p_text(log10) == text


def test_p_values_beyond_floats_keep_their_power():
    assert p_text(-1234.5) == "3.2e-1235"


def test_the_qq_plot_shows_all_small_ranks_and_few_points_of_many():
    ranks = thinned(1_000_000)
    assert ranks[0] == 1
    assert ranks[-1] == 1_000_000
    assert len(ranks) <= 240
    figure = qq_plot(np.log10(np.random.default_rng(0).uniform(size=100_000)), 1e-3)
    assert figure.count("<circle") == len(thinned(100_000))
    assert qq_plot(np.zeros(0), 1e-3) == ""


def test_a_uniform_sample_follows_the_diagonal():
    n = 999
    figure = qq_plot(np.log10(np.arange(1, n + 1) / (n + 1)), 1e-3)
    points = np.array(re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', figure), float)
    line = np.array(
        re.findall(r'class="diagonal" x1="([\d.]+)" x2="([\d.]+)" y1="([\d.]+)" y2="([\d.]+)"', figure)[0], float
    )
    slope = (line[3] - line[2]) / (line[1] - line[0])
    assert np.abs(points[:, 1] - (line[2] + slope * (points[:, 0] - line[0]))).max() < 0.2
