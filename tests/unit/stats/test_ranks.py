import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.stats import ranks
from evalkit.stats.ranks import rank_intervals


def cover(kind, trials=300):
    """Share of trials in which every true rank lies in its interval, for twelve systems that are all equal but one."""
    rng = np.random.default_rng(7)
    truth = np.array([0.0] * 11 + [5.0])
    low = 1 + (truth[None, :] > truth[:, None]).sum(1)  # equal systems share a range of true ranks
    high = len(truth) - (truth[None, :] < truth[:, None]).sum(1)
    hits = 0
    for trial in range(trials):
        seen = truth + rng.normal(0, 0.4, 12)
        ranks = rank_intervals(seen, 0.16 * np.eye(12), kind=kind, draws=1000, seed=trial)
        hits += bool(np.all((ranks.best <= low) & (ranks.worst >= high)))
    return hits / trials


def test_simultaneous_rank_intervals_cover_jointly_and_marginal_ones_do_not():
    assert cover("simultaneous") >= 0.93
    assert cover("marginal") < 0.9


def test_what_is_separated_lowers_the_bar_for_the_rest(monkeypatch):
    rng, found = np.random.default_rng(2), {}
    truth = np.repeat([0.0, 3.5, 7.0], 4)
    boards = [truth + rng.normal(size=12) for _ in range(150)]
    for steps in (1, ranks.STEPS):
        monkeypatch.setattr(ranks, "STEPS", steps)
        made = [rank_intervals(values, np.eye(12), draws=1000, seed=i) for i, values in enumerate(boards)]
        found[steps] = sum(int(each.beats.sum()) for each in made)
        wrong = sum(bool((each.beats & (truth[:, None] <= truth[None, :])).any()) for each in made)
        assert wrong <= 150 * 0.09
    assert found[ranks.STEPS] > 1.03 * found[1]


def test_two_systems_are_a_t_test():
    ranks = rank_intervals([1.0, 0.0], [[0.1, 0], [0, 0.1]], df=9, draws=60_000)
    assert ranks.critical == pytest.approx(2.262, abs=0.03)  # t quantile of 9 degrees of freedom


def test_what_samples_share_does_not_blur_the_order():
    shared = np.full((3, 3), 100.0)
    ranks = rank_intervals([3.0, 2.0, 1.0], shared + 0.01 * np.eye(3))
    assert ranks.best.tolist() == ranks.worst.tolist() == ranks.tier.tolist() == [1, 2, 3]
    apart = rank_intervals([3.0, 2.0, 1.0], 100.0 * np.eye(3))
    assert apart.best.tolist() == [1, 1, 1]
    assert apart.worst.tolist() == [3, 3, 3]


def test_lower_is_better_turns_the_order():
    up = rank_intervals([1.0, 2.0, 3.0], 0.001 * np.eye(3))
    down = rank_intervals([1.0, 2.0, 3.0], 0.001 * np.eye(3), better="lower")
    assert up.rank.tolist() == down.rank[::-1].tolist() == [3, 2, 1]
    assert down.first[0] == 1.0


def test_the_order_of_systems_does_not_matter():
    rng = np.random.default_rng(0)
    values, order = rng.normal(size=8), rng.permutation(8)
    here = rank_intervals(values, 0.02 * np.eye(8))
    there = rank_intervals(values[order], 0.02 * np.eye(8))
    assert here.rank[order].tolist() == there.rank.tolist()
    assert np.abs(here.worst[order] - there.worst).max() <= 1  # resampling noise at the quantile


def test_a_system_without_interval_is_never_separated():
    sigma = np.diag([0.001, np.nan, 0.001])
    ranks = rank_intervals([3.0, 9.0, 1.0], sigma)
    assert (ranks.best[1], ranks.worst[1]) == (1, 3)
    assert np.isnan(ranks.first[1])
    assert ranks.beats[0, 2]
    none = rank_intervals([1.0, 2.0], np.full((2, 2), np.nan))
    assert none.worst.tolist() == [2, 2]


def test_equal_systems_share_a_rank_and_are_not_separated():
    ranks = rank_intervals([1.0, 1.0], np.ones((2, 2)))
    assert ranks.rank.tolist() == [1, 1]
    assert not ranks.beats.any()


def test_one_system_is_first_alone():
    ranks = rank_intervals([1.0], [[0.1]])
    assert (ranks.best[0], ranks.worst[0], ranks.tier[0], ranks.first[0]) == (1, 1, 1, 1.0)


def test_misuse_is_explained():
    with pytest.raises(EvalkitError, match="covariance"):
        rank_intervals([1.0, 2.0], np.eye(3))
    with pytest.raises(EvalkitError, match="leave it out"):
        rank_intervals([1.0, np.nan], np.eye(2))
