import numpy as np
import pytest

from evalkit.metrics.cmmd import cmmd, features_to_statistics, statistics_to_value


def unit(n, shift=0.0, seed=0, d=16):
    x = np.random.default_rng(seed).normal(size=(n, d)) + shift
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def by_all_pairs(x, y):
    def kernel(a, b):
        return np.exp(-np.square(a[:, None] - b[None]).sum(-1) / 200).mean()

    return 1000 * (kernel(x, x) + kernel(y, y) - 2 * kernel(x, y))


def test_the_value_is_that_of_all_pairs_in_any_blocks(monkeypatch):
    x, y = unit(57, 0.3), unit(41, seed=1)
    assert cmmd(x, y).value == pytest.approx(by_all_pairs(x, y), rel=1e-9)
    from evalkit.metrics import rows

    monkeypatch.setattr(rows.row_blocks, "__defaults__", (13,))
    assert cmmd(x, y).value == pytest.approx(by_all_pairs(x, y), rel=1e-9)
    assert cmmd(y, x).value == pytest.approx(cmmd(x, y).value, rel=1e-9)


def test_identical_sets_are_at_zero_and_opposite_ones_at_the_bound():
    x = unit(30)
    assert cmmd(x, x).value == pytest.approx(0, abs=1e-9)
    one = np.repeat(x[:1], 5, 0)
    assert cmmd(one, -one).value == pytest.approx(39.6, abs=0.05)


def test_the_influence_is_that_of_leaving_images_out():
    x, y = unit(60, 0.4), unit(50, seed=1)
    left_out = [statistics_to_value(features_to_statistics(np.delete(x, i, 0), y)) for i in range(60)]
    jackknife = 59 / 60 * np.square(left_out - np.mean(left_out)).sum()
    means = features_to_statistics(x, y)
    ours = 4 * 1000**2 * (means.own - means.cross).var(ddof=1) / 60
    assert ours == pytest.approx(jackknife, rel=0.1)


def test_one_image_has_a_value_without_interval():
    found = cmmd(unit(1), unit(9))
    assert found.value > 0
    assert found.low is None
