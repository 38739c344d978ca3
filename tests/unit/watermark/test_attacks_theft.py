"""Theft of green lists: one list is read off the histogram, a balanced pool hides there and is found by co-occurrence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from evalkit.errors import EvalkitError
from evalkit.watermark.attacks.theft import list_auc, lists_auc, occurring, theft_cooccurrence, theft_histogram

V, N, M = 256, 128, 240


def law(seed=0):
    p = 1 / np.arange(1, V + 1) ** 0.5
    return np.random.default_rng(seed).permutation(p / p.sum())


def drawn(greens, seed, delta=2.0):
    """Codes [len(greens), N] of images whose lists are the rows of `greens`, softly biased."""
    rng, p = np.random.default_rng(seed), law()
    rows = []
    for green in greens:
        q = p * np.exp(delta * green)
        rows.append(rng.choice(V, N, p=q / q.sum()))
    return np.array(rows)


def pool(m, seed=0):
    """Lists [m, V] with every code in exactly half of them."""
    rng = np.random.default_rng(seed)
    lists = np.zeros((m, V), bool)
    for v in range(V):
        lists[rng.choice(m, m // 2, replace=False), v] = True
    return lists


@pytest.fixture(scope="module")
def clean():
    return drawn(np.zeros((M, V), bool), 1)


def test_one_fixed_list_is_read_off_the_histogram(clean):
    green = np.random.default_rng(5).random(V) < 0.5
    marked = drawn(np.repeat(green[None], M, 0), 2)
    assert list_auc(theft_histogram(marked, clean, V), green) > 0.99
    assert abs(list_auc(theft_histogram(drawn(np.zeros((M, V), bool), 3), clean, V), green) - 0.5) < 0.15


def test_more_images_recover_more_of_the_list(clean):
    green = np.random.default_rng(5).random(V) < 0.5
    marked = drawn(np.repeat(green[None], M, 0), 2, delta=0.5)
    found = [list_auc(theft_histogram(marked[:m], clean[:m], V), green) for m in (5, 30, M)]
    assert found[0] < found[1] < found[2]


@pytest.mark.parametrize("method", ["kmeans", "nmf"])
def test_a_pool_hides_from_the_histogram_and_not_from_cooccurrence(clean, method):
    lists = pool(4)
    marked = drawn(lists[np.arange(M) % 4], 4)
    common = occurring(marked, V, times=5)
    flat = [list_auc(theft_histogram(marked, clean, V), green) for green in lists]
    assert max(abs(each - 0.5) for each in flat) < 0.12
    found = lists_auc(theft_cooccurrence(marked, V, 4, method=method), lists, among=common)
    assert found.min() > 0.95
    guessed = lists_auc(theft_cooccurrence(clean, V, 4, method=method), lists, among=common)
    assert guessed.mean() < 0.62


def test_theft_is_the_same_again_for_the_same_seed():
    lists = pool(2)
    marked = drawn(lists[np.arange(60) % 2], 6)
    for method in ("kmeans", "nmf"):
        first = theft_cooccurrence(marked, V, 2, method=method, seed=3)
        assert first.shape == (2, V)
        np.testing.assert_allclose(first, theft_cooccurrence(marked, V, 2, method=method, seed=3), atol=1e-9)


def test_the_histogram_is_the_log_ratio_of_smoothed_shares():
    scores = theft_histogram(np.array([[0, 0, 1, -1]]), np.array([[1, 1, 1]]), 3)
    marked, plain = np.array([2.5, 1.5, 0.5]) / 4.5, np.array([0.5, 3.5, 0.5]) / 4.5
    np.testing.assert_allclose(scores, np.log(marked / plain))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=30))
def test_the_auc_is_scikit_learns(pairs):
    scores, green = np.array([float(s) for s, _ in pairs]), np.array([g for _, g in pairs])
    if green.all() or not green.any():
        with pytest.raises(EvalkitError, match="green and red"):
            list_auc(scores, green)
    else:
        assert list_auc(scores, green) == pytest.approx(roc_auc_score(green, scores))


def test_found_lists_are_matched_one_to_one():
    greens = pool(3, seed=8)
    scores = greens[[2, 0, 1]].astype(float)
    np.testing.assert_allclose(lists_auc(scores, greens), 1)
    same = np.repeat(greens[:1].astype(float), 3, 0)
    assert (lists_auc(same, greens) < 1).sum() == 2  # one found list cannot serve for all


def test_what_cannot_be_stolen_is_said():
    codes = np.zeros((3, 4), int)
    for call, said in (
        (lambda: theft_cooccurrence(codes, 5, 3), "too few for 3 lists"),
        (lambda: theft_histogram(codes + 7, codes, 5), r"codes lie in 0\.\.4"),
        (lambda: theft_histogram(codes - 1, codes, 5), "at least one"),
        (lambda: lists_auc(np.zeros((1, 4)), np.ones((2, 4), bool)), "ask for more lists"),
    ):
        with pytest.raises(EvalkitError, match=said):
            call()
