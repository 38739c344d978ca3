import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from evalkit.errors import EvalkitError
from evalkit.judges.agreement import agreement, kappa, repeatability


def raters(n=80, seed=0, noise=0.3):
    rng = np.random.default_rng(seed)
    truth = rng.integers(1, 6, n)
    other = np.where(rng.random(n) < noise, rng.integers(1, 6, n), truth)
    return truth.tolist(), other.tolist()


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
def test_kappa_is_that_of_scikit_learn(weights):
    a, b = raters()
    want = cohen_kappa_score(a, b, weights=None if weights == "none" else weights)
    assert kappa(a, b, weights=weights).value == pytest.approx(want, rel=1e-12)


def test_weights_follow_the_order_of_the_labels():
    order = ["bad", "fair", "good"]
    near, far = ["good", "bad", "fair", "fair"], ["good", "bad", "fair", "bad"]
    assert (
        kappa([*order, "good"], near, weights="quadratic", labels=order).value
        != kappa([*order, "good"], far, weights="quadratic", labels=order).value
    )
    with pytest.raises(EvalkitError, match="not among those"):
        kappa(["odd"], ["bad"], labels=order)


def test_equal_labels_agree_fully_and_shuffled_ones_by_chance():
    a, _ = raters(400)
    assert kappa(a, a).value == 1
    shuffled = np.random.default_rng(1).permutation(a).tolist()
    estimate = kappa(a, shuffled)
    assert estimate.low < 0 < estimate.high


def test_the_interval_holds_the_truth_as_often_as_it_says():
    truth = kappa(*raters(200_000, seed=5)).value
    hits = 0
    for seed in range(60):
        found = kappa(*raters(60, seed=100 + seed))
        hits += found.low <= truth <= found.high
    assert hits >= 51  # of 57 expected; fewer has p < .01


def test_whole_clusters_are_drawn():
    a, b = raters(40)
    four = kappa(
        [x for x in a for _ in range(4)],
        [x for x in b for _ in range(4)],
        clusters=[i for i in range(40) for _ in range(4)],
    )
    one = kappa(a, b)
    assert four.value == pytest.approx(one.value)
    assert four.high - four.low == pytest.approx(one.high - one.low, rel=0.1)


def test_where_there_is_one_label_kappa_is_undefined():
    found = kappa(["a"] * 5, ["a"] * 5)
    assert math.isnan(found.value)
    assert "one and the same label" in found.method


def test_agreement_is_the_share_of_equal_labels():
    assert agreement(["a", "b", "c", "c"], ["a", "b", "c", "d"]).value == 0.75


def test_repeatability_counts_identical_items_spread_and_losses():
    found = repeatability([[3, 3, 3], [2, 4, None], [5, None, None], [1, 1, 1]])
    assert found.identical.value == pytest.approx(2 / 3)
    assert found.deviation.value == pytest.approx(math.sqrt(2) / 3)
    assert found.lost == pytest.approx(3 / 12)
    with pytest.raises(EvalkitError, match="several times"):
        repeatability([[1], [None, 2]])


@pytest.mark.parametrize("call", [lambda: kappa([1], [1, 2]), lambda: kappa([], []), lambda: agreement([1], [])])
def test_raters_of_other_items_are_refused(call):
    with pytest.raises(EvalkitError, match="same items"):
        call()
