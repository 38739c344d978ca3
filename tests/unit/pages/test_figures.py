import math
import re
import xml.etree.ElementTree as ET

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evalkit.pages.figures import Interval, bars, intervals, ridges, ticks
from evalkit.pages.plane import LEFT, NAMED, WIDTH, Box, Point, numbered, plane

HOSTILE = "\"'><script>&\x00\u202e"


def inside(figure):
    """Well-formed, and no coordinate outside the view."""
    root = ET.fromstring(figure)
    width, height = (float(v) for v in root.attrib["viewBox"].split()[2:])
    for node in root.iter():
        for name, value in node.attrib.items():
            if name in ("x", "x1", "x2", "cx"):
                assert -0.1 <= float(value) <= width + 0.1, (node.tag, value)
            if name in ("y", "y1", "y2", "cy"):
                assert -0.1 <= float(value) <= height + 0.1, (node.tag, value)
        for pair in node.attrib.get("points", "").split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height
    return root


@given(st.lists(st.lists(st.floats(-1e6, 1e6), max_size=30), min_size=1, max_size=12))
def test_histograms_of_any_values_stay_in_their_frame(groups):
    rows = [(f"run {i}", np.array(values)) for i, values in enumerate(groups)]
    figure = ridges("PSNR", rows, None, None)
    assert (figure == "") == all(len(v) == 0 for _, v in rows)
    if figure:
        inside(figure)


def test_histogram_says_median_and_the_middle_ninety_percent():
    root = inside(ridges("SSIM", [("", np.linspace(0, 1, 101))], 0.0, 1.0))
    assert "median 0.5000, 90 % between 0.0500 and 0.9500, n 101" in root.attrib["aria-label"]
    assert root.find(".//{*}title") is not None or root.find(".//title") is not None


def test_axis_never_shows_values_that_the_metric_cannot_have():
    root = inside(ridges("SSIM", [("", np.array([0.99, 1.0]))], -1.0, 1.0))
    labels = [t.text for t in root.iter("text") if t.text and "median" not in t.text]
    assert labels
    assert max(float(t.replace("−", "-")) for t in labels) <= 1.0


def test_values_of_one_kind_still_have_a_figure():
    inside(ridges("CER", [("", np.zeros(5))], 0.0, None))
    inside(intervals("CER", [Interval("a", 0.0, 0.0, 0.0)], 0.0, None))


def test_intervals_mark_the_clear_winner_and_skip_infinite_values():
    rows = [Interval("a", 1.0, 0.5, 1.5), Interval("b", 3.0, 2.5, math.inf, True), Interval("c", math.inf)]
    root = inside(intervals("PSNR", rows, 0.0, None))
    assert [g.attrib["class"] for g in root.iter("g")] == ["plain", "best"]
    assert "b 3.000, 95 % interval 2.500 to ∞, first at 95 % confidence" in root.attrib["aria-label"]
    assert intervals("PSNR", [Interval("c", math.inf)], None, None) == ""


def test_bars_are_longest_first_and_leave_out_stages_without_time():
    root = inside(bars("Seconds", [("a", 1.0), ("b", 3.0), ("c", 0.0)]))
    assert root.attrib["aria-label"] == "Seconds. b 3.000 s; a 1.000 s"
    assert bars("Seconds", []) == ""


def test_names_are_escaped_and_visible_in_every_figure():
    figures = [
        ridges(HOSTILE, [(HOSTILE, np.arange(4.0)), ("b", np.arange(3.0))], None, None),
        intervals("t", [Interval(HOSTILE, 1.0, 0.5, 1.5)], None, None),
        bars("t", [(HOSTILE, 1.0)]),
        plane(HOSTILE, HOSTILE, [Point(HOSTILE, 1, 2), Point("b", 2, 3)]),
    ]
    for figure in figures:
        inside(figure)
        assert "<script>" not in figure
        assert not re.search("[\x00\u202e]", figure)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 8))
def test_ticks_are_increasing_inside_and_not_too_many(low, spread, about):
    found = ticks(low, low + spread, about) if low + spread > low else []
    assert found == sorted(found)
    assert len(found) <= about + 2


def test_plane_needs_two_finite_points():
    assert plane("x", "y", [Point("a", 1, 2), Point("b", math.inf, 2)]) == ""


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(10, 40)), min_size=2, max_size=20))
def test_any_points_stay_on_the_plane(values):
    points = [Point(f"model-{i}", x, y, (x - 0.1, x + 0.1), (y - 1, y + 1)) for i, (x, y) in enumerate(values)]
    inside(plane("rate", "PSNR", points))
    assert numbered(points) == (len(points) > NAMED)


def test_names_on_the_plane_do_not_overlap():
    points = [Point(f"model-{i}", 1 + i * 0.02, 30 + i * 0.02) for i in range(6)] + [Point("far", 9, 40)]
    root = inside(plane("rate", "PSNR", points))
    boxes = []
    for node in root.iter("text"):
        if node.attrib.get("class") == "name":
            x, y = float(node.attrib["x"]), float(node.attrib["y"])
            boxes.append(Box(x, y - 8, x + 6 * len(node.text), y + 2))
            assert LEFT <= x <= WIDTH
    assert not any(a.meets(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_exact_images_are_counted_beside_the_median_and_move_nothing():
    root = inside(ridges("PSNR", [("", np.array([30.0, 31.0, 32.0, math.inf, math.inf]))], 0.0, None))
    assert "median 31.00" in root.attrib["aria-label"]
    assert "n 3, and 2 exact" in root.attrib["aria-label"]
    assert ridges("PSNR", [("", np.array([math.inf]))], 0.0, None) == ""
