import numpy as np
import pytest
import torch

from evalkit.metrics import nearest as nearest_module
from evalkit.metrics import neighbours, table
from evalkit.metrics.neighbours import bounds, bounds_in_tile, exact, least_entry, prepare, product

FAST = neighbours._fast_dtype


def clustered(n, d, seed=0):
    """Features with exact and near copies, far clusters, and one outlier."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + 8 * rng.integers(0, 2, (n, 1))
    x[n // 2 : n // 2 + 6] = x[0]
    x[n // 2 + 6 : n // 2 + 10] = x[1] + 1e-6 * rng.normal(size=(4, d))
    x[-1] *= 1000
    return x.astype(np.float32)


def distances(x, y):
    return np.sqrt(np.square(x[:, None].astype(np.float64) - y[None]).sum(-1))


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=["float32", "bfloat16"], autouse=True)
def coarse(request, monkeypatch):
    monkeypatch.setattr(neighbours, "_SMALL", 0)
    monkeypatch.setattr(neighbours, "_fast_dtype", lambda: request.param)
    monkeypatch.setattr(nearest_module, "TILE", 37)
    monkeypatch.setattr(table, "IN_MEMORY", 4000)  # larger sets go through a file


@pytest.mark.parametrize("of", [bounds, bounds_in_tile])
def test_bounds_hold_the_distance(of, monkeypatch):
    monkeypatch.setattr(neighbours, "_CROWDED", 3)
    x = clustered(90, 24)
    table = prepare(x, x[:5].mean(0).astype(np.float64), 90)
    entries = product(table, slice(0, 90), table, slice(0, 90))
    i, j = np.indices((90, 90)).reshape(2, -1)
    low, high = of(table, i, table, j, entries.ravel())
    true = distances(x, x).ravel()
    slack = 1e-12 * (1 + true)
    assert (low <= true + slack).all()
    assert (high >= true - slack).all()


def test_no_pair_within_the_radius_is_below_the_least_entry():
    x = clustered(80, 16)
    table = prepare(x, x.mean(0).astype(np.float64), 80)
    radius = np.linspace(0, 12, 80)
    part = slice(0, 80)
    entries = product(table, part, table, part)
    proposed = entries >= least_entry(table, part, table, part, radius)[:, None]
    assert proposed[distances(x, x) <= radius[:, None]].all()
    assert not proposed.all()


def test_exact_distances_do_not_depend_on_their_company():
    x, y = clustered(50, 33), clustered(40, 33, seed=1)
    i, j = np.indices((50, 40)).reshape(2, -1)
    together = exact(x, i, y, j)
    alone = np.array([exact(x, i[k : k + 1], y, j[k : k + 1])[0] for k in range(0, len(i), 97)])
    assert np.array_equal(together[::97], alone)
    assert together == pytest.approx(distances(x, y).ravel(), rel=1e-12)


@pytest.mark.parametrize(("n", "m", "d", "k"), [(100, 120, 16, 3), (90, 38, 5, 5), (40, 200, 300, 1)])
def test_nearest_are_those_of_all_distances(n, m, d, k):
    x, y = clustered(n, d), clustered(m, d, seed=1)
    found = nearest_module.nearest(x, y, k)
    true = distances(x, y)
    order = np.argsort(true, axis=1, kind="stable")[:, :k]
    assert found.distance == pytest.approx(np.take_along_axis(true, order, 1), rel=1e-12, abs=1e-12)
    ours = np.take_along_axis(true, found.index, 1)
    assert ours == pytest.approx(found.distance, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_nearest_others_leave_an_image_itself_out(k):
    x = clustered(150, 12)
    true = distances(x, x)
    np.fill_diagonal(true, np.inf)
    found = nearest_module.nearest_others(prepare(x, x.mean(0).astype(np.float64), len(x)), k)
    assert found.distance == pytest.approx(np.sort(true, axis=1)[:, :k], rel=1e-12, abs=1e-12)
    assert (found.index != np.arange(150)[:, None]).all()
    some = np.array([3, 77, 149])
    again = nearest_module.nearest(x[some], x, k, itself=some)
    assert np.array_equal(again.distance, found.distance[some])


def test_crowds_of_equal_images_are_decided_in_bounded_memory(monkeypatch):
    monkeypatch.setattr(nearest_module, "_CROWD", 500)
    x = np.repeat(np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32), 60, 0)
    found = nearest_module.nearest_others(prepare(x, x.mean(0).astype(np.float64), len(x)), 3)
    assert not found.distance.any()


@pytest.mark.parametrize("n", [5, 60])
def test_images_that_are_all_equal_are_each_others_nearest(n):
    x = np.full((n, 8), 0.7, np.float32)
    found = nearest_module.nearest_others(prepare(x, x.mean(0).astype(np.float64), n), 3)
    assert found.index.shape == found.distance.shape == (n, 3)
    assert not found.distance.any()


def test_tiles_never_change_what_is_found(monkeypatch):
    x, y = clustered(100, 20), clustered(110, 20, seed=3)
    first = nearest_module.nearest(x, y, 4)
    monkeypatch.setattr(nearest_module, "TILE", 1000)
    again = nearest_module.nearest(x, y, 4)
    assert np.array_equal(first.index, again.index)
    assert np.array_equal(first.distance, again.distance)


def test_more_neighbours_than_images_are_an_error():
    with pytest.raises(Exception, match="The 5 nearest of 4 images do not exist"):
        nearest_module.nearest(np.zeros((2, 3)), np.zeros((4, 3)), 5)
    with pytest.raises(Exception, match="of 0 images"):
        nearest_module.nearest_others(prepare(np.zeros((1, 3)), np.zeros(3), 1), 1)


def test_the_fast_type_is_one_of_the_two():
    assert FAST() in (torch.float32, torch.bfloat16)
