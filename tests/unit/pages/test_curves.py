"""Curves: labels beside dots cover no other label and stay on the figure."""

import re

import numpy as np

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
