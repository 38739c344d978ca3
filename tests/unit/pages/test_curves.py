"""Curves: every series has its line, values stay within the axes, names hold no markup, and nothing gives nothing."""

import re

import pytest

from evalkit.pages.curves import HEIGHT, WIDTH, Dot, chart


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
