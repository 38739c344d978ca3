import tracemalloc

import numpy as np
import pytest
import torch

from evalkit.errors import EvalkitError
from evalkit.metrics import balls, nearest, neighbours
from evalkit.metrics.prdc import difference, features_to_statistics, prdc, statistics_to_value
from evalkit.metrics.rules import BallRule


def pair(seed=0, n=90, m=110, d=6):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)) * 0.8 + 0.3, rng.normal(size=(m, d))
    x[:4] = y[:4]  # memorised: at distance 0
    y[20:24] = y[19]  # a radius of 0 with k up to 4
    return x.astype(np.float32), y.astype(np.float32)


def by_all_distances(x, y, rule):
    def far(a, b):
        return np.sqrt(np.square(a[:, None].astype(np.float64) - b[None]).sum(-1))

    own, other = np.sort(far(x, x), 1)[:, rule.k], np.sort(far(y, y), 1)[:, rule.k]
    cross = far(y, x)
    holds = np.less_equal if rule.closed else np.less
    in_reference = holds(cross, other[:, None])
    return {
        "precision": in_reference.any(0).mean(),
        "recall": holds(cross, own[None]).any(1).mean(),
        "density": in_reference.sum(0).mean() / rule.k,
        "coverage": in_reference.any(1).mean(),
    }


@pytest.mark.parametrize("rule", [BallRule(), BallRule(5, False), BallRule(1), BallRule(4, False)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_four_are_those_of_all_distances(rule, dtype, monkeypatch):
    monkeypatch.setattr(neighbours, "_SMALL", 0)
    monkeypatch.setattr(neighbours, "_fast_dtype", lambda: dtype)
    monkeypatch.setattr(nearest, "TILE", 31)
    for seed in range(3):
        x, y = pair(seed)
        found, wanted = prdc(x, y, rule), by_all_distances(x, y, rule)
        assert {name: each.value for name, each in found.items()} == pytest.approx(wanted, abs=1e-12)


def test_crowded_tiles_are_counted_alike(monkeypatch):
    x, y = pair()
    x *= 1e-3  # every image lies in nearly every ball, or in none
    monkeypatch.setattr(neighbours, "_CROWDED", 2)
    rule = BallRule(5)
    assert {n: e.value for n, e in prdc(x, y, rule).items()} == pytest.approx(by_all_distances(x, y, rule), abs=1e-12)


def test_order_of_images_never_changes_the_four():
    x, y = pair()
    mixed = np.random.default_rng(1)
    again = prdc(mixed.permutation(x), mixed.permutation(y))
    assert {n: e.value for n, e in again.items()} == {n: e.value for n, e in prdc(x, y).items()}


def test_identical_sets_have_all_of_everything_but_density():
    x, _ = pair()
    found = prdc(x, x)
    assert [found[name].value for name in ("precision", "recall", "coverage")] == [1, 1, 1]
    assert found["density"].value > 0.9


def test_sets_far_apart_have_nothing_and_an_interval_above_it():
    x, y = pair()
    found = prdc(x + 100, y)
    assert [each.value for each in found.values()] == [0, 0, 0, 0]
    assert found["precision"].high > 0
    assert found["density"].low is None
    assert "no interval" in found["density"].method


def test_methods_name_k_the_border_and_the_interval():
    statistics = features_to_statistics(*pair(), BallRule(5, False))
    found = prdc(*pair(), BallRule(5, False))
    assert "k = 5, border not counted; Wilson" in found["recall"].method
    assert found["recall"].n == 110
    assert found["precision"].n == 90
    assert found["recall"].value == statistics_to_value(statistics["recall"])


def test_too_few_images_and_other_dimensions_are_one_sentence():
    x, y = pair()
    with pytest.raises(EvalkitError, match="has 3 of the 4 images"):
        prdc(x[:3], y)
    with pytest.raises(EvalkitError, match="6 and of 5 dimensions"):
        prdc(x, y[:, :5])


def test_what_a_ball_alone_holds_is_what_leaving_it_out_takes_away():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(40, 5)), rng.normal(size=(50, 5))
    centre = y.mean(0)
    one, two = neighbours.prepare(x, centre, 50), neighbours.prepare(y, centre, 50)
    radius, other = rng.uniform(0.5, 3, 40), rng.uniform(0.5, 3, 50)
    found = balls.contained(one, two, radius, other)
    far = np.linalg.norm(x[:, None] - y[None], axis=-1)
    inside = far <= radius[:, None]
    assert np.array_equal(found.y_in_x.count, inside.sum(0))
    assert np.array_equal(found.x_around_y.count, inside.sum(1))
    assert np.array_equal(found.x_in_y.count, (far <= other[None]).sum(1))
    whole = inside.any(0).sum()
    taken = [whole - np.delete(inside, ball, 0).any(0).sum() for ball in range(40)]
    assert found.y_in_x.only(40).tolist() == taken


@pytest.mark.parametrize("quantity", ["precision", "recall", "density", "coverage"])
def test_intervals_cover_over_draws_of_both_sets(quantity):
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        found.append(prdc(rng.normal(size=(120, 6)) * 0.9 + 0.2, rng.normal(size=(120, 6)))[quantity])
    truth = np.mean([each.value for each in found])
    assert np.mean([each.low <= truth <= each.high for each in found]) > 0.86


def test_a_difference_counts_the_shared_reference_once():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 5)), rng.normal(size=(200, 5))
    near = x + 0.01 * rng.normal(size=x.shape)
    one, two = (features_to_statistics(each, y, BallRule()) for each in (x, near))
    for quantity in one:
        paired = difference(quantity, one[quantity], two[quantity], paired=True)
        apart = difference(quantity, one[quantity], two[quantity])
        assert paired.low <= 0 <= paired.high
        assert paired.high - paired.low < (apart.high - apart.low) / 1.5, quantity
    few = features_to_statistics(x[:50], y, BallRule())
    with pytest.raises(EvalkitError, match="Paired sets have one size"):
        difference("recall", few["recall"], two["recall"], paired=True)
    assert difference("coverage", few["coverage"], two["coverage"]).value < 0


def test_memory_is_that_of_a_tile_whatever_the_number_of_images():
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(4500, 24)).astype(np.float32) for _ in range(2))
    prdc(x[:50], y[:50])
    tracemalloc.start()
    prdc(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6  # the distances of all pairs are 162 MB
