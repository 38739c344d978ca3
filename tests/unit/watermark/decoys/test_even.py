"""Keys that stray over a whole folder are brought to one rate; marked keys are not, and copies of an image count once."""

import numpy as np
import pytest

from evalkit.watermark.decoys.even import best_of, shifted, shifts, threshold
from evalkit.watermark.decoys.lean import fitted
from evalkit.watermark.decoys.ranks import ranked

KEYS, LEVEL = 200, 0.02


def few_coins(images=600, seed=0, keys=KEYS):
    """Scores of images that weigh the same twelve coins, most of them alike."""
    rng = np.random.default_rng(seed)
    coins = 2 * rng.integers(0, 2, (12, keys)) - 1
    weights = rng.integers(-30, 30, (6, 12))[rng.integers(0, 6, images)] + rng.poisson(4, (images, 12))
    return weights @ coins + 2000


def called(scores, shift):
    """The share of the images that each key calls."""
    fit = fitted(lambda: [scores])
    left = np.concatenate([rows for _, rows, _ in shifted(lambda: [scores], fit, shift)])
    return (left > threshold(left, best_of(LEVEL, scores.shape[1]))).mean(0)


def test_every_key_calls_as_many_images_as_the_others():
    scores = few_coins()
    fit = fitted(lambda: [scores])
    before, after = (called(scores, each) for each in (np.zeros(KEYS), shifts(lambda: [scores], fit, LEVEL)))
    near = [((each >= 0.4 * LEVEL) & (each <= 2 * LEVEL)).mean() for each in (before, after)]
    assert near[0] < 0.6
    assert near[1] > 0.9


def test_a_marked_key_is_shifted_by_no_more_than_the_others_need():
    scores = few_coins()
    scores[:200, -1] += 400
    fit = fitted(lambda: [scores])
    shift = shifts(lambda: [scores], fit, LEVEL)
    assert shift[-1] < 3
    assert ranked(lambda: [scores], LEVEL).above[:200].max() == 0


def test_copies_of_an_image_foretell_and_count_once():
    scores = few_coins(100)
    often = np.concatenate([scores, np.repeat(scores[:3], 200, axis=0)])
    one, many = (fitted(lambda e=each: [e]) for each in (scores, often))
    assert many.images == one.images == 100
    assert np.array_equal(one.means, many.means)
    assert np.array_equal(one.inverse, many.inverse)
    seen = ranked(lambda: [often], LEVEL)
    assert (seen.above[100:300] == seen.above[0]).all()
    assert np.allclose(seen.false_calls, ranked(lambda: [scores], LEVEL).false_calls)


@pytest.mark.parametrize(("images", "most"), [(1, 0.0), (5, 0.0), (20, 0.4)])
def test_a_small_folder_shifts_little_or_nothing(images, most):
    scores = few_coins(images)
    assert np.abs(shifts(lambda: [scores], fitted(lambda: [scores]), LEVEL)).max() <= most


def test_runs_from_before_are_ranked_by_the_rule_of_their_time():
    scores = few_coins()
    then, now = (ranked(lambda: [scores], LEVEL, even=each) for each in (False, True))
    assert np.std(then.false_calls) > 2 * np.std(now.false_calls)
