import math

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.metrics.fid_infinity import fid_infinity_of
from evalkit.metrics.frechet import frechet_distance, frechet_distance_of_features
from evalkit.metrics.frechet_interval import (
    bias_of_parts,
    contributions,
    corrected_estimate,
    frechet_difference,
    frechet_estimate,
    jackknife_bias,
)
from evalkit.metrics.moments import Moments
from evalkit.metrics.rows import gaussian_of, moments_of

D = 6
MIXING = np.random.default_rng(9).normal(size=(D, D)) / math.sqrt(D)


def draw(n, seed=0, scale=1.0, shift=0.0):
    return np.random.default_rng(seed).normal(size=(n, D)) @ MIXING * scale + shift


def exact(scale, shift):
    s = MIXING.T @ MIXING
    return D * shift**2 + (1 - scale) ** 2 * np.trace(s)


def law(scale=1.0, shift=0.0):
    big = 10**9
    return Moments(big, np.full(D, shift), MIXING.T @ MIXING * scale**2 * (big - 1))


def jackknife(value_without, n):
    left_out = np.array([value_without(i) for i in range(n)])
    return math.sqrt((n - 1) / n * np.square(left_out - left_out.mean()).sum())


@pytest.mark.parametrize("both", [False, True])
def test_the_interval_is_near_the_jackknifes(both):
    x, y = draw(150, scale=1.3), draw(120, seed=1)
    reference = moments_of(y)
    error = jackknife(lambda i: frechet_distance(moments_of(np.delete(x, i, 0)), reference), 150)
    if both:
        own = moments_of(x)
        error = math.hypot(error, jackknife(lambda i: frechet_distance(own, moments_of(np.delete(y, i, 0))), 120))
    found = frechet_estimate(x, reference, y if both else None)
    assert found.value == pytest.approx(frechet_distance_of_features(x, y), rel=1e-9)
    assert found.high - found.value == pytest.approx(1.959964 * error, rel=0.1)
    assert ("both sets" in found.method) == both


def test_the_interval_covers_the_distance_of_the_laws():
    wanted, hits = exact(1.3, 0.2), 0
    for seed in range(200):
        found = frechet_estimate(draw(600, seed, 1.3, 0.2), law())
        hits += found.low <= wanted <= found.high
    assert hits >= 180


def test_contributions_are_what_leaving_an_image_out_takes_away():
    x, reference = draw(200, scale=1.2), law()
    x[17] += 6
    found = contributions(x, reference)
    assert found.sum() == pytest.approx(0, abs=1e-12)
    assert found.argmax() == 17
    whole = frechet_distance(moments_of(x), reference)
    taken = np.array([whole - frechet_distance(moments_of(np.delete(x, i, 0)), reference) for i in range(200)])
    assert np.corrcoef(found, taken)[0, 1] > 0.999


def test_a_difference_counts_the_shared_reference_once():
    y = draw(80, seed=5)
    one, two = draw(400, seed=1, scale=1.5), draw(400, seed=2, scale=1.5)
    reference = moments_of(y)
    difference = frechet_difference(one, two, reference, y)
    apart = [frechet_estimate(each, reference, y) for each in (one, two)]
    assert difference.estimate.value == pytest.approx(apart[0].value - apart[1].value, rel=1e-9)
    naive = math.hypot(*(each.high - each.value for each in apart))
    assert difference.estimate.high - difference.estimate.value < 0.8 * naive
    assert difference.p > 0.01


def test_paired_sets_are_compared_pair_by_pair():
    x = draw(300, scale=1.4)
    better = x * 0.97 + 0.001 * draw(300, seed=8)
    paired = frechet_difference(x, better, law(), paired=True)
    unpaired = frechet_difference(x, better, law())
    assert paired.estimate.high - paired.estimate.low < (unpaired.estimate.high - unpaired.estimate.low) / 5
    assert paired.p < 1e-3
    assert "paired" in paired.estimate.method
    with pytest.raises(EvalkitError, match="Paired sets have one size; 300 and 9"):
        frechet_difference(x, x[:9], law(), paired=True)


def test_a_set_differs_from_itself_by_nothing():
    x = draw(50)
    found = frechet_difference(x, x, law(), paired=True)
    assert found.estimate.value == 0
    assert found.p == 1


def test_the_jackknife_finds_the_bias_of_small_sets():
    wanted = exact(1.3, 0.2)
    sets = [draw(100, seed, 1.3, 0.2) for seed in range(150)]
    values = np.array([frechet_estimate(x, law()).value for x in sets])
    biases = np.array([jackknife_bias(x, law()) for x in sets])
    bias = values.mean() - wanted
    assert bias > 0
    assert biases.mean() == pytest.approx(bias, rel=0.4)


def test_a_corrected_distance_is_that_of_the_laws_on_average():
    wanted = exact(1.3, 0.2)
    found = [corrected_estimate(draw(100, seed, 1.3, 0.2), law()) for seed in range(150)]
    plain = np.mean([frechet_estimate(draw(100, seed, 1.3, 0.2), law()).value for seed in range(150)])
    assert abs(np.mean([each.value for each in found]) - wanted) < (plain - wanted) / 2
    assert np.mean([each.low <= wanted <= each.high for each in found]) > 0.9
    assert "less the jackknife bias" in found[0].method
    few = corrected_estimate(draw(15), law())
    assert math.isnan(few.value)
    assert "15 given" in few.method


def test_the_bias_from_shards_is_that_from_features():
    x = draw(100)
    shards = [moments_of(x[group::10]) for group in range(10)]
    assert bias_of_parts(shards, law()) == pytest.approx(jackknife_bias(x, law()), rel=1e-9)


def test_small_and_singular_sets_say_so():
    alone = frechet_estimate(draw(1), law())
    assert math.isnan(alone.value)
    assert alone.method == "a Fréchet distance needs at least 2 images; 1 given"
    assert "n=5 is not above the 6 dimensions" in frechet_estimate(draw(5), law()).method
    with pytest.raises(EvalkitError, match="has 9 of the 20 images"):
        jackknife_bias(draw(9), law())
    with pytest.raises(EvalkitError, match="one extractor"):
        frechet_estimate(np.eye(4), law())


def test_a_singular_set_has_the_distance_of_its_features():
    x, y = np.random.default_rng(0).normal(size=(2, 30, 50))
    found = frechet_estimate(x, moments_of(y), y)
    assert found.value == pytest.approx(frechet_distance_of_features(x, y), rel=1e-6)
    assert found.low < found.value < found.high


def test_infinity_against_a_given_reference_has_no_bias_left():
    wanted, found, plain = exact(1.2, 0.1), [], []
    for seed in range(60):
        x = draw(160, seed, 1.2, 0.1)
        found.append(fid_infinity_of(x, law(), seed=seed))
        plain.append(frechet_estimate(x, law()).value)
    bias, left = np.mean(plain) - wanted, np.mean([each.value for each in found]) - wanted
    assert abs(left) < bias / 2
    assert np.mean([each.low < wanted < each.high for each in found]) > 0.9
    few = fid_infinity_of(draw(100), law())
    assert math.isnan(few.value)
    assert "100 could be scored" in few.method


@pytest.mark.parametrize(("n", "m", "d"), [(14, 12, 200), (14, 400, 200), (400, 12, 200), (300, 300, 40)])
def test_the_order_of_images_and_the_way_to_the_moments_move_nothing_beyond_a_billionth(n, m, d):
    rng = np.random.default_rng(7)
    x = np.abs(rng.normal(0.1, 1, (n, d)) * np.geomspace(1, 1e-3, d)).astype(np.float32)
    y = np.abs(rng.normal(0.0, 1, (m, d)) * np.geomspace(1, 1e-3, d)).astype(np.float32)
    first = frechet_estimate(x, gaussian_of(y), y)
    turned = frechet_estimate(x[::-1], gaussian_of(y[rng.permutation(m)]), y)
    for one, other in zip((first.value, first.low, first.high), (turned.value, turned.low, turned.high), strict=True):
        assert other == pytest.approx(one, rel=1e-9)
    assert frechet_distance(moments_of(x), moments_of(y)) == pytest.approx(first.value, rel=1e-9)
