"""Ranks among decoys: exact on average over keys, near nominal for each key, and true of folders whose images share codes."""

import numpy as np
import pytest
from scipy.special import log_ndtr
from scipy.stats import kstest

from evalkit.watermark.decoys.ranks import Ranked, ranked, ranks_of

IMAGES, KEYS = 400, 199


def coins(rng, keys, law="shared"):
    """Scores [IMAGES, keys] of images that share some codes, or hold one code each."""
    table = rng.integers(0, 2, (300, keys))
    share = 1 / np.arange(1, 301) ** 1.5
    held = rng.random((IMAGES, 300)) < np.minimum(1, 12 * share)
    if law == "constant":
        held = np.eye(300, dtype=bool)[rng.integers(0, 3, IMAGES)]
    return held @ table


def rate(scores, alpha=0.02):
    found = ranked(lambda: [scores], alpha)
    return float(
        (np.exp(found.log_p(np.zeros(len(scores)), np.full(len(scores), -50.0))) <= alpha + 1e-12).mean()
    ), found


def test_every_single_key_calls_about_as_many_as_promised():
    rng = np.random.default_rng(3)
    scores = coins(rng, KEYS + 60)
    called = [rate(np.concatenate([scores[:, 60:], scores[:, k : k + 1]], axis=1))[0] for k in range(60)]
    plain = [np.mean([(1 + (row[60:] >= row[k]).sum()) / (KEYS + 1) <= 0.02 for row in scores]) for k in range(60)]
    assert np.mean(called) == pytest.approx(0.02, rel=0.25)
    assert np.mean([0.008 <= each <= 0.04 for each in called]) >= 0.9
    assert np.mean([0.008 <= each <= 0.04 for each in plain]) < 0.6  # without the lean single keys stray


def test_the_p_of_an_image_counts_the_real_key_itself():
    """(1 + decoys as large) / (keys + 1); where none is as large, the exact p where it is the smaller one."""
    found = Ranked(np.array([0, 0, 1, 4]), np.zeros(4), 199, 0.02, np.zeros(199), 1.0, 1.0, 0.0)
    p = np.exp(found.log_p(np.log([0.5, 1e-6, 1e-6, 1e-6]), np.full(4, -50.0)))
    assert p == pytest.approx([1 / 200, 1e-6, 2 / 200, 5 / 200], rel=1e-6)


def test_the_interval_holds_the_rate_of_a_key():
    rng = np.random.default_rng(4)
    scores = coins(rng, KEYS + 40)
    found = [rate(np.concatenate([scores[:, 40:], scores[:, k : k + 1]], axis=1)) for k in range(40)]
    inside = [low <= mine <= high for mine, (_, low, high) in ((each, seen.interval()) for each, seen in found)]
    assert np.mean(inside) >= 0.85


def test_the_folders_p_is_uniform_however_much_images_share():
    rng = np.random.default_rng(5)
    folders = [coins(rng, 100)[:80] for _ in range(120)]
    found = [ranked(lambda s=scores: [s], 0.02) for scores in folders]
    for each in (np.array([seen.folder_p for seen in found]), np.array([seen.mean_p for seen in found])):
        assert kstest(each, "uniform", alternative="greater").pvalue > 0.01
        assert np.mean(each <= 0.5) > 0.3


def test_a_few_marked_images_show_in_the_folder_and_alone():
    scores = coins(np.random.default_rng(6), KEYS + 1)
    scores[:8, -1] += 12
    seen = ranked(lambda: [scores], 0.02)
    assert seen.folder_p <= 2 / (KEYS + 1)
    assert (seen.above[:8] == 0).all()


def test_a_weak_mark_in_every_image_shows_in_the_mean():
    scores = coins(np.random.default_rng(7), KEYS + 1).astype(float)
    scores[:, -1] = scores[:, :-1].max(1) - 1
    seen = ranked(lambda: [scores.astype(int)], 0.02)
    assert seen.mean_p == pytest.approx(1 / (KEYS + 1))
    assert seen.mean > 1.5


def test_images_of_one_code_are_never_called():
    scores = coins(np.random.default_rng(8), KEYS + 1, "constant")
    floor = np.full(IMAGES, np.log(0.5))
    p = np.exp(ranked(lambda: [scores], 0.02).log_p(floor, floor))
    assert p.min() >= 0.5 - 1e-9


def test_below_the_smallest_rank_the_exact_p_decides_less_the_lean():
    scores = coins(np.random.default_rng(9), KEYS + 1)
    scores[0, -1] += 15
    seen = ranked(lambda: [scores], 0.02)
    exact = np.full(IMAGES, -40.0)
    found = seen.log_p(exact, np.full(IMAGES, -1e3))
    beaten = seen.above > 0
    assert (found[beaten] >= -np.log(KEYS + 1)).all()
    assert -np.log(KEYS + 1) > found[0] >= -40.0 - 1e-9  # never below the exact one
    assert seen.above[0] == 0
    assert log_ndtr(-3.0) > found[0]
    assert seen.log_p(exact, np.full(IMAGES, -10.0))[0] == -10.0  # nor below what the codes allow


def test_results_do_not_depend_on_how_rows_arrive():
    scores = coins(np.random.default_rng(10), KEYS + 1)
    whole, parts = ranked(lambda: [scores], 0.02), ranked(lambda: np.array_split(scores, 7), 0.02)
    assert np.array_equal(whole.above, parts.above)
    assert np.allclose(whole.lean, parts.lean)
    assert whole.folder_p == parts.folder_p


def test_ties_count_against_the_key():
    assert ranks_of(np.array([1.0, 2.0, 2.0, 0.0])).tolist() == [3, 2, 2, 4]
