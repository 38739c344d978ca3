"""Curves: values within the axes, a line for each series, labels that cover no other one, and no markup."""

import re

import numpy as np
import pytest

from evalkit.pages.curves import HEIGHT, LEFT, TALL, WIDE, WIDTH, Dot, chart


def labels(dots):
    figure = chart("x", "y", {"a": dots}, {"a": 0}, line=False)
    return [
        (float(x), float(y), text)
        for x, y, text in re.findall(r'<text class="label" x="([\d.-]+)" y="([\d.-]+)">([^<]*)</text>', figure)
    ]


def test_labels_cover_no_other_label_and_lie_on_the_figure():
    rng = np.random.default_rng(0)
    dots = [Dot(float(x), float(y), None, None, "", f"attack:{i}") for i, (x, y) in enumerate(rng.random((40, 2)))]
    found = labels(dots)
    assert 10 < len(found) < 40
    boxes = [(x, y - TALL, x + WIDE * len(text), y) for x, y, text in found]
    for i, a in enumerate(boxes):
        assert a[0] >= LEFT
        assert a[2] <= WIDTH
        assert 0 <= a[1] < a[3] <= HEIGHT
        assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in boxes[:i])


def test_a_dot_without_a_label_and_a_label_with_markup_are_safe():
    assert labels([Dot(0, 0.5, None, None, "")]) == []
    ((_, _, text),) = labels([Dot(0, 0.5, None, None, "", "<b>")])
    assert text == "&lt;b&gt;"


def dots(*values, low=None):
    return [Dot(float(x), y, low, low, f"<b>{y}") for x, y in enumerate(values)]


@pytest.mark.parametrize("values", [(3.0, 3.0, 3.0), (-1e6, 1e6), (0.0, 1e-12), (25.0,)])
def test_all_values_lie_within_the_axes(values):
    made = chart("round", "dB", {"a": dots(*values)}, {"a": 0}, line=True, reach=None)
    for name, most in (("cx", WIDTH), ("cy", HEIGHT)):
        assert all(0 <= float(at) <= most for at in re.findall(rf'{name}="([-\d.]+)"', made))
    assert made.count("<circle") == len(values)


def test_a_series_has_a_line_and_its_intervals_where_there_are_some():
    series = {"a": dots(0.1, 0.5), "b": dots(0.2, 0.9, low=0.4)}
    made = chart("x", "y", series, {"a": 0, "b": 1}, line=True)
    assert made.count("<polyline") == 2
    assert made.count('class="reach') == 2
    assert chart("x", "y", series, {"a": 0, "b": 1}, line=True, dots=False).count("<circle") == 0


def test_names_hold_no_markup():
    made = chart("<b>", "<b>", {"<b>": dots(1.0)}, {"<b>": 0}, line=False)
    assert "<b>" not in made


def test_nothing_gives_nothing():
    assert chart("x", "y", {}, {}, line=True) == ""
