"""Boxes against outputs of the official functions, and by their properties."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.metrics.boxes import RELATIONS, overlap, relations

GOLDEN = json.loads((Path(__file__).parent / "data" / "geometry.json").read_text())
OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
BOXES = st.tuples(*[st.integers(0, 400)] * 4).map(lambda b: (b[0] / 4, b[1] / 4, (b[0] + b[2]) / 4, (b[1] + b[3]) / 4))


def test_relations_are_the_official_ones():
    for a, b, slack, expected in GOLDEN["relations"]:
        assert list(relations(a, b, slack)) == expected


def test_overlaps_are_the_official_ones():
    for a, b, expected in GOLDEN["overlap"]:
        assert overlap(a, b) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (20, 0, 30, 10), ("left of",)),
        ((0, 0, 10, 10), (20, 20, 30, 30), ("left of", "above")),
        ((0, 0, 10, 10), (0, 0, 10, 10), ()),
        # the shrunken offset is divided by the length of the whole one: -1/3, so no relation
        ((0, 0, 10, 10), (3, 0, 13, 10), ()),
    ],
)
def test_vectors_of_the_specification(a, b, expected):
    assert relations(a, b) == expected


@given(BOXES, BOXES)
def test_what_a_is_to_b_is_the_opposite_of_what_b_is_to_a(a, b):
    assert {OPPOSITE[name] for name in relations(a, b)} == set(relations(b, a))
    assert list(relations(a, b)) == [name for name in RELATIONS if name in relations(a, b)]


@given(BOXES, BOXES)
def test_overlap_is_symmetric_and_a_share(a, b):
    assert 0 <= overlap(a, b) == overlap(b, a) <= 1
    assert overlap(a, a) == 1
