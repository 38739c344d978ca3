"""Keys that stray over a whole folder are brought to one rate; marked keys are not, and copies of an image count once."""

import numpy as np
import pytest

from evalkit.watermark.decoys.even import best_of, left_of, shifted, shifts, threshold
from evalkit.watermark.decoys.lean import fitted
from evalkit.watermark.decoys.ranks import ranked

KEYS, LEVEL = 200, 0.02


def few_coins(images=600, seed=0, keys=KEYS):
    """Scores of images that weigh the same twelve coins, most of them alike."""
    rng = np.random.default_rng(seed)
    coins = 2 * rng.integers(0, 2, (12, keys)) - 1
    weights = rng.integers(-30, 30, (6, 12))[rng.integers(0, 6, images)] + rng.poisson(4, (images, 12))
    return weights @ coins + 2000


def needed(scores, level=LEVEL):
    """The shift of each key."""
    fit = fitted(lambda: [scores])
    return shifts(lambda: left_of([scores], fit), fit, level)


def called(scores, shift):
    """The share of the images that each key calls."""
    fit = fitted(lambda: [scores])
    left = np.concatenate([rows for _, rows, _ in shifted(left_of([scores], fit), shift)])
    return (left > threshold(left, best_of(LEVEL, scores.shape[1]))).mean(0)


def test_every_key_calls_as_many_images_as_the_others():
    scores = few_coins()
    before, after = (called(scores, each) for each in (np.zeros(KEYS), needed(scores)))
    near = [((each >= 0.4 * LEVEL) & (each <= 2 * LEVEL)).mean() for each in (before, after)]
    assert near[0] < 0.6
    assert near[1] > 0.9


def test_a_marked_key_is_shifted_by_no_more_than_the_others_need():
    scores = few_coins()
    scores[:200, -1] += 400
    assert needed(scores)[-1] < 3
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
    assert np.abs(needed(scores)).max() <= most


def test_images_that_cannot_be_called_do_not_decide_how_many_a_key_calls():
    rng = np.random.default_rng(1)
    scores = few_coins(1200)
    poor = np.arange(1200) % 3 > 0
    scores[poor] += 60 * rng.permutation(KEYS)  # a lean of their own, which the others do not have
    floor = np.where(poor, np.log(0.5), -50.0)
    with_them, without = (ranked(lambda: [scores], LEVEL, each).false_calls for each in (None, floor))
    assert ((without >= 0.4 * LEVEL) & (without <= 2 * LEVEL)).mean() > 0.9
    assert not np.allclose(with_them, without)


def test_what_is_left_beside_a_large_part_that_all_images_share_is_not_rounded_away():
    rng = np.random.default_rng(2)
    scores = 300_000 * rng.integers(0, 2, (8, KEYS)).sum(0) + rng.permuted(np.tile(np.arange(KEYS), (400, 1)), axis=1)
    called, rounded = (ranked(lambda: [scores], LEVEL, digits=each).false_calls.mean() for each in (6, 3))
    assert called > 0.9 * LEVEL
    assert rounded < 0.5 * LEVEL


def test_runs_from_before_are_ranked_by_the_rule_of_their_time():
    scores = few_coins()
    then, now = (ranked(lambda: [scores], LEVEL, even=each) for each in (False, True))
    assert np.std(then.false_calls) > 2 * np.std(now.false_calls)
