import math

import numpy as np
import pytest

from evalkit.metrics.inception_score import (
    features_to_statistics,
    inception_score,
    is_sorted_by_class,
    merge,
    split_of,
    split_scores,
    statistics_to_value,
)
from evalkit.metrics.rules import SplitRule

FILE_ORDER = SplitRule(chunk=50, shuffle=None)


def logits(n=200, classes=20, seed=0, spread=3.0):
    return np.random.default_rng(seed).normal(size=(n, classes)) * spread


def test_the_score_is_the_definitions():
    x = logits(30)
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    wanted = np.exp((p * np.log(p / p.mean(0))).sum(1).mean())
    assert statistics_to_value(features_to_statistics(x)) == pytest.approx(wanted, rel=1e-12)


def test_statistics_merge_to_those_of_the_whole():
    x = logits(70)
    parts = merge(merge(features_to_statistics(x[40:]), features_to_statistics(x[:1])), features_to_statistics(x[1:40]))
    assert statistics_to_value(parts) == pytest.approx(statistics_to_value(features_to_statistics(x)), rel=1e-12)


def test_splits_hold_every_image_once_and_a_short_chunk_counts():
    for rule in (SplitRule(), SplitRule(3, shuffle=None), SplitRule(chunk=7), FILE_ORDER):
        parts = split_of(101, rule)
        assert sorted(np.concatenate(parts)) == list(range(101))
    x = logits(120)
    scores = [statistics_to_value(features_to_statistics(x[a : a + 50])) for a in (0, 50, 100)]
    assert split_scores(x, FILE_ORDER) == pytest.approx(scores)
    assert inception_score(x, FILE_ORDER).value == pytest.approx(np.mean(scores))


def test_one_image_scores_one_and_fewer_images_than_splits_have_no_score():
    alone = inception_score(logits(1), SplitRule(chunk=5000, shuffle=None))
    assert alone.value == pytest.approx(1)
    assert alone.low is None
    few = inception_score(logits(4))
    assert math.isnan(few.value)
    assert few.method == "10 splits need 10 images; 4 given"


def test_files_sorted_by_class_are_named_where_the_order_matters():
    x = 20 * np.eye(10)[np.repeat(np.arange(10), 20)]
    collapsed = inception_score(x, SplitRule(chunk=20, shuffle=None))
    assert collapsed.value == pytest.approx(1)
    assert "sorted by class" in collapsed.method
    mixed = np.random.default_rng(0).permutation(x)
    assert inception_score(mixed, SplitRule(chunk=100, shuffle=None)).value > 5
    assert "sorted" not in inception_score(mixed, SplitRule(chunk=100, shuffle=None)).method
    assert "sorted" not in inception_score(x).method  # shuffled by its rule


def test_one_class_is_not_sorted():
    assert not is_sorted_by_class([3] * 50)
    assert not is_sorted_by_class([1])


def test_logits_far_from_zero_are_no_problem():
    x = logits(40)
    assert inception_score(x + 1e4).value == pytest.approx(inception_score(x).value, rel=1e-9)


def test_the_interval_is_students_t_over_splits():
    x = logits(500)
    scores, found = split_scores(x, SplitRule()), inception_score(x)
    assert found.high - found.value == pytest.approx(2.262157 * scores.std(ddof=1) / math.sqrt(10), rel=1e-6)
