"""Tests of pairs that disagree, and of rates that stay within a margin."""

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.stats.discordant import discordant, kept_within, of_counts


@pytest.mark.parametrize(
    ("lost", "gained", "p", "mid"),
    [(0, 0, 1.0, 1.0), (5, 5, 1.0, 0.75390625), (1, 9, 0.021484375, 0.01171875)],
)
def test_exact_and_mid_p_are_those_of_statsmodels(lost, gained, p, mid):
    found = of_counts(lost, gained)
    assert (found.p, found.mid_p) == (pytest.approx(p, rel=1e-9), pytest.approx(mid, rel=1e-9))


def test_equal_outcomes_have_no_discordant_pair():
    found = discordant([1, 0, 1], [1, 0, 1])
    assert (found.lost, found.gained, found.p) == (0, 0, 1.0)
    with pytest.raises(EvalkitError, match="come in pairs"):
        discordant([1], [1, 0])


def test_few_pairs_prove_no_equivalence_and_many_do():
    held = [kept_within(np.ones(n), np.ones(n), 0.05).holds for n in (5, 20, 60, 200)]
    assert held == sorted(held)
    assert (held[0], held[-1]) == (False, True)


def test_a_loss_beyond_the_margin_never_counts_as_kept():
    before = np.ones(400)
    after = before.copy()
    after[:40] = 0
    found = kept_within(before, after, 0.05)
    assert not found.holds
    assert found.change.value == pytest.approx(-0.1)
    assert found.change.low < -0.1 < found.change.high


def test_a_gain_is_kept_but_not_equivalent():
    before, after = np.zeros(400), np.zeros(400)
    after[:60] = 1
    found = kept_within(before, after, 0.05)
    assert found.holds
    assert not found.equivalent


def test_equivalence_is_claimed_at_most_at_its_level_on_the_border():
    rng = np.random.default_rng(3)
    claims = [kept_within(np.ones(120), (rng.random(120) > 0.05).astype(float), 0.05).holds for _ in range(600)]
    assert np.mean(claims) < 0.075


def test_images_of_one_prompt_count_as_one():
    prompts = np.repeat(np.arange(20), 10)
    after = np.repeat((np.arange(20) > 1).astype(float), 10)
    alone, together = kept_within(np.ones(200), after, 0.2), kept_within(np.ones(200), after, 0.2, clusters=prompts)
    assert together.change.low < alone.change.low
