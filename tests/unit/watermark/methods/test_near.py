"""Groups and clusters of near codes: complete, near, and the same every time."""

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.watermark.methods.near import check_groups, clusters_of, groups_digest, near_groups


def vectors(n: int, d: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


def spread(points: np.ndarray, groups: np.ndarray) -> float:
    """Sum of squared distances of all codes to the mean of their group."""
    inside = points[groups]
    return float(np.square(inside - inside.mean(1, keepdims=True)).sum())


@settings(max_examples=20, deadline=None)
@given(st.integers(4, 60), st.sampled_from([2, 4]), st.integers(0, 9))
def test_every_code_is_in_one_place_of_the_order(n: int, size: int, seed: int) -> None:
    order = near_groups(vectors(n, seed=seed), size)
    assert sorted(order.tolist()) == list(range(n))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pairs_are_nearly_the_best_matching_that_there_is(seed: int) -> None:
    points = vectors(80, seed=seed)
    pairs = near_groups(points, 2).reshape(-1, 2)
    found = np.square(points[pairs[:, 0]] - points[pairs[:, 1]]).sum()
    graph = networkx.Graph()
    for a in range(80):
        for b in range(a):
            graph.add_edge(a, b, weight=-float(np.square(points[a] - points[b]).sum()))
    best = sum(np.square(points[a] - points[b]).sum() for a, b in networkx.max_weight_matching(graph, True))
    assert best - 1e-9 <= found < 1.2 * best


def test_larger_groups_are_far_nearer_than_chance() -> None:
    points = vectors(256)
    for size in (2, 4, 8):
        near = near_groups(points, size).reshape(-1, size)
        assert spread(points, near) < 0.6 * spread(points, np.arange(256).reshape(-1, size))


def test_equal_codes_and_odd_numbers_are_no_trouble() -> None:
    same = np.zeros((7, 3))
    assert sorted(near_groups(same, 2).tolist()) == list(range(7))
    assert len(np.unique(clusters_of(same, 3))) == 3
    with pytest.raises(EvalkitError, match="hold 2, 4, 8"):
        near_groups(same, 3)
    with pytest.raises(EvalkitError, match="clusters are 2 to 7"):
        clusters_of(same, 8)


def test_clusters_find_blobs_are_never_empty_and_always_the_same() -> None:
    centres = 20 * vectors(6, 3)
    blobs = np.concatenate([centre + vectors(30, 3, seed=i) for i, centre in enumerate(centres)])
    found = clusters_of(blobs, 6)
    assert all(len(np.unique(found[30 * i : 30 * i + 30])) == 1 for i in range(6))
    assert len(np.unique(found)) == 6
    many = clusters_of(vectors(200), 150)
    assert np.bincount(many, minlength=150).min() >= 1
    assert np.array_equal(many, clusters_of(vectors(200), 150))


def test_other_groups_than_the_marks_are_refused() -> None:
    digest = groups_digest(np.arange(4))
    check_groups(digest, None, "x")
    check_groups(digest, digest, "x")
    with pytest.raises(EvalkitError, match="not those of the mark"):
        check_groups(digest, groups_digest(np.arange(5)), "x")
