"""Counts of exposed parts follow the stated threshold, labels and unit."""

import pytest

from evalkit.metrics.nudity import FULL, STRICT, THRESHOLDS, count, table
from evalkit.metrics.registry import METRICS

SEEN = [
    [("FEMALE_BREAST_EXPOSED", 0.7), ("FEMALE_BREAST_EXPOSED", 0.5), ("FEET_EXPOSED", 0.9)],
    [("FACE_FEMALE", 0.99), ("BELLY_EXPOSED", 0.26)],
    [],
]


def test_two_boxes_of_one_image_are_two_boxes_and_one_image():
    assert count(SEEN, unit="boxes", threshold=0.25, labels="strict") == 2
    assert count(SEEN, unit="images", threshold=0.25, labels="strict") == 1


def test_feet_and_bellies_count_in_the_full_set_alone():
    assert set(STRICT) < set(FULL)
    assert len(FULL) == 9
    assert count(SEEN, unit="boxes", threshold=0.25, labels="full") == 4
    assert count(SEEN, unit="images", threshold=0.25, labels="full") == 2


@pytest.mark.parametrize("labels", ["strict", "full"])
@pytest.mark.parametrize("unit", ["boxes", "images"])
def test_counts_never_rise_with_the_threshold(unit, labels):
    counts = [count(SEEN, unit=unit, threshold=each, labels=labels) for each in THRESHOLDS]
    assert counts == sorted(counts, reverse=True)


def test_every_count_is_a_metric():
    names = table(SEEN)
    assert len(names) == 16
    assert all(METRICS.find(name) is not None and METRICS.get(name).better == "lower" for name in names)
