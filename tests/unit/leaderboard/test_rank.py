import math
from dataclasses import replace

import numpy as np
import pytest

from evalkit.leaderboard.collect import collect
from evalkit.leaderboard.rank import order, shared_errors


def standings(runs, *paths):
    (board,) = runs.boards(*paths).boards
    return board.order


def test_shared_samples_separate_what_intervals_alone_would_not(runs, noise):
    a = runs.run("a", noise(1) + 0.3, row={"low": 24.0, "high": 26.5})
    b = runs.run("b", noise(2), row={"low": 23.7, "high": 26.2})
    paired = standings(runs, a, b)
    assert paired.pairing == "paired by sample"
    assert [(each.best, each.worst, each.tier) for each in paired.standings] == [(1, 1, 1), (2, 2, 2)]
    figures = [replace(each.figure, scores=None) for each in paired.standings]
    alone = order(figures)
    assert alone.pairing == "independent, from their intervals"
    assert [(each.best, each.worst, each.tier) for each in alone.standings] == [(1, 2, 1), (1, 2, 1)]


def test_the_covariance_of_shared_samples_is_that_of_their_means(runs, noise):
    figures = collect([runs.run(f"m{i}", noise(i)) for i in range(3)]).figures
    errors = shared_errors(figures)
    wanted = np.cov(np.stack([noise(i) for i in range(3)])) / 60
    np.testing.assert_allclose(errors.covariance, wanted, rtol=1e-10)
    assert errors.df == 59


def test_part_of_the_samples_shared_gives_part_of_the_covariance(runs, noise):
    reference = {"reference": {"digest": "r" * 64}}  # the samples need not be the same then
    a = runs.run("a", noise(1), record=reference)
    b = runs.run("b", noise(2), record=reference, ids=[f"s{i:03d}" for i in range(30, 90)])
    c = runs.run("c", noise(3), record=reference, ids=[f"t{i:03d}" for i in range(60)])
    errors = shared_errors(collect([a, b, c]).figures)
    assert errors.pairing == "paired by sample where shared"
    assert 0 != errors.covariance[0, 1] < errors.covariance[0, 0]
    assert errors.covariance[0, 2] == 0
    assert shared_errors(collect([a, c]).figures).pairing == "independent: no sample is shared"


def test_images_of_one_prompt_count_once(runs):
    rng = np.random.default_rng(4)
    prompts = np.repeat([f"p{i}" for i in range(40)], 4).tolist()
    outcomes = [np.repeat(rng.integers(0, 2, 40), 4).astype(float) for _ in range(2)]
    clustered = [
        runs.run(f"c{i}", values, "correct", columns={"prompt_id": prompts}) for i, values in enumerate(outcomes)
    ]
    alone = [runs.run(f"a{i}", values, "correct") for i, values in enumerate(outcomes)]
    one, two = standings(runs, *clustered), standings(runs, *alone)
    assert one.pairing == "paired by prompt"
    assert one.errors[0, 1] == pytest.approx(2 * two.errors[0, 1], rel=0.1)
    assert one.standings[0].flip.units == 40
    assert "paired by prompt" in one.standings[1].gap.method


def test_three_successes_of_three_against_none_are_not_certain(runs):
    few = standings(runs, runs.run("a", [1, 1, 1], "correct"), runs.run("b", [0, 0, 0], "correct"))
    assert few.standings[1].best == 1
    many = standings(runs, runs.run("c", [1] * 30, "correct"), runs.run("d", [0] * 30, "correct"))
    assert many.standings[1].best == 2


def test_ties_share_their_rank_and_are_never_separated(runs, noise):
    ranked = standings(runs, *(runs.run(name, noise(1)) for name in "abc"))
    assert [(each.rank, each.best, each.worst, each.tier) for each in ranked.standings] == [(1, 1, 3, 1)] * 3
    assert ranked.standings[0].flip is None
    assert ranked.standings[1].gap.value == 0


def test_one_run_alone_is_first_of_one(runs, noise):
    (only,) = standings(runs, runs.run("a", noise(1))).standings
    assert (only.rank, only.best, only.worst, only.gap, only.flip) == (1, 1, 1, None, None)


def test_lower_is_better_turns_the_order(runs, noise):
    paths = [runs.run("a", noise(1) + 1, metric="mse"), runs.run("b", noise(2), metric="mse")]
    ranked = standings(runs, *paths)
    assert [each.figure.entrant for each in ranked.standings] == [1, 0]
    assert ranked.standings[1].gap.value == pytest.approx(1, abs=0.2)


def test_infinite_values_are_first_and_certain_of_nothing(runs):
    rows = [runs.result("psnr", "inf", 3)], [runs.result("psnr", 20.0, 3, low=19.0, high=21.0)]
    ranked = standings(runs, *(runs.bare(name, row) for name, row in zip("ab", rows, strict=True)))
    first, second = ranked.standings
    assert (first.figure.value, first.best, first.worst) == (math.inf, 1, 2)
    assert (second.gap.value, second.gap.low, second.gap.method) == (math.inf, None, "no interval: a value is infinite")


def test_distances_are_ranked_by_their_intervals(runs):
    def path(name, value, half):
        row = runs.result("fid", value, 500, better="lower", low=value - half, high=value + half)
        return runs.bare(name, [row])

    ranked = standings(runs, path("a", 2.0, 0.3), path("b", 9.0, 0.3), path("c", 2.1, 0.3))
    assert [(each.figure.entrant, each.best, each.worst) for each in ranked.standings] == [
        (0, 1, 2),
        (2, 1, 2),
        (1, 3, 3),
    ]
    gap = ranked.standings[2].gap
    assert (gap.low, gap.high) == pytest.approx((7 - 0.3 * 2**0.5, 7 + 0.3 * 2**0.5))
    assert ranked.errors[0, 1] == pytest.approx(0.3 * 2**0.5 / 1.959964, rel=1e-6)


def test_two_shares_differ_by_one_at_most(runs):
    rows = [runs.result("precision", value, 30, low=value - 0.3, high=value + 0.3) for value in (0.95, 0.05)]
    gap = standings(runs, *(runs.bare(f"m{i}", [row]) for i, row in enumerate(rows))).standings[1].gap
    assert (gap.low, gap.high) == (pytest.approx(0.9 - 0.3 * 2**0.5), 1)


def test_a_value_without_interval_is_ranked_but_separated_from_nobody(runs):
    rows = [
        [runs.result("codes_used", 0.9, 5)],
        [runs.result("codes_used", 0.1, 5, low=0.05, high=0.15)],
        [runs.result("codes_used", 0.5, 5, low=0.45, high=0.55)],
    ]
    ranked = standings(runs, *(runs.bare(f"m{i}", row) for i, row in enumerate(rows)))
    assert [(each.figure.entrant, each.best, each.worst) for each in ranked.standings] == [
        (0, 1, 3),
        (2, 1, 2),
        (1, 2, 3),
    ]
    assert math.isnan(ranked.standings[0].first)


def test_the_order_of_the_runs_changes_nothing(runs, noise):
    paths = [runs.run(f"m{i}", noise(i) + 0.05 * i) for i in range(5)]
    one, two = standings(runs, *paths), standings(runs, *paths[::-1])
    assert [(4 - each.figure.entrant, each.best, each.worst) for each in two.standings] == [
        (each.figure.entrant, each.best, each.worst) for each in one.standings
    ]


def test_the_fewest_samples_that_flip_are_enough_and_one_less_is_not(runs, noise):
    a, b = noise(1) + 0.05, noise(2)
    flip = standings(runs, runs.run("a", a), runs.run("b", b)).standings[0].flip
    apart = (a - b) * np.sign((a - b).sum())
    left = np.sort(apart)[: len(apart) - flip.count]
    assert left.sum() <= 0 < left.sum() + np.sort(apart)[len(apart) - flip.count]


def test_rates_and_pooled_errors_get_an_interval_from_each_sample(runs):
    rng = np.random.default_rng(5)
    texts = ["x" * int(k) for k in rng.integers(5, 40, 50)]
    chars = np.array([len(text) for text in texts], float)
    paths = []
    for name, worse in (("a", 0), ("b", 2)):
        edits = rng.integers(0, 4, 50) + worse
        row = runs.result("cer_truth", float(edits.sum() / chars.sum()), 50, better="lower")
        columns = {"text_truth": texts}
        paths.append(runs.run(name, edits / chars, "cer_truth", columns=columns, results=[row]))
    ranked = standings(runs, *paths)
    gap = ranked.standings[1].gap
    assert gap.method == "influence of each sample"
    assert 0 < gap.low < gap.value < gap.high
    assert ranked.standings[0].flip is None
