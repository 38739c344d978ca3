import dataclasses

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import multinomial

from evalkit.errors import EvalkitError
from evalkit.stats.paired import paired_difference
from evalkit.stats.power import Study, discordance, plan, power_of, smallest_effect
from evalkit.stats.verdicts import exact_p, mcnemar


def test_means_are_planned_as_by_statsmodels():
    power = pytest.importorskip("statsmodels.stats.power")
    alone = plan(Study(mde=0.5, measure="mean", design="independent"))
    assert alone.samples == pytest.approx(power.TTestIndPower().solve_power(0.5, alpha=0.05, power=0.8), abs=2)
    paired = plan(Study(mde=0.5, measure="mean", correlation=0.5))  # a difference's spread is then 1
    assert paired.samples == int(np.ceil(power.TTestPower().solve_power(0.5, alpha=0.05, power=0.8)))


def test_shares_are_planned_as_in_fleiss():
    assert plan(Study(mde=0.1, p=0.5, design="independent")).samples == pytest.approx(388, rel=0.02)


def test_the_planned_paired_share_reaches_its_power():
    study = Study(mde=0.1, p=0.5, discordant=0.3)
    n = plan(study).samples
    rng = np.random.default_rng(0)
    cells = rng.multinomial(1, [0.2, 0.1, 0.7], size=(400, n)).argmax(-1)
    found = np.mean([mcnemar(c == 0, c == 1) < 0.05 for c in cells])
    assert found == pytest.approx(0.8, abs=0.05)


def test_the_power_of_mcnemar_is_the_sum_over_all_outcomes():
    n, up, down = 30, 0.25, 0.05
    found = sum(
        multinomial.pmf([u, d, n - u - d], n, [up, down, 1 - up - down])
        for u in range(n + 1)
        for d in range(n + 1 - u)
        if exact_p(u, d) < 0.05
    )
    assert power_of(Study(mde=0.2, discordant=0.3), n) == pytest.approx(found, abs=1e-9)


def test_a_normal_stand_in_would_promise_too_much():
    normal = ndtr((0.1 - 1.96 * (0.3 / 234) ** 0.5) / (0.29 / 234) ** 0.5)
    assert power_of(Study(mde=0.1, discordant=0.3), 234) < normal - 0.015


@pytest.mark.parametrize("n", [8, 20, 60])
def test_the_power_of_means_is_what_their_tests_find(n):
    study, rng = Study(mde=0.8 if n < 50 else 0.4, measure="mean"), np.random.default_rng(n)
    found = [paired_difference(rng.normal(study.mde, 1, n), np.zeros(n)).p < 0.05 for _ in range(600)]
    assert np.mean(found) == pytest.approx(power_of(study, n), abs=0.05)


def test_five_pairs_cannot_be_told_apart_by_an_exact_test():
    assert power_of(Study(mde=50, measure="mean"), 5) == 0.0


def test_pairing_clusters_and_families_move_the_plan_as_they_should():
    base = Study(mde=0.05, p=0.6)
    assert plan(dataclasses.replace(base, correlation=0.9)).samples < plan(base).samples
    assert plan(dataclasses.replace(base, systems=10)).samples > plan(base).samples
    clustered = plan(dataclasses.replace(base, per_prompt=4, icc=0.5))
    assert clustered.effect == 2.5
    assert clustered.samples == 4 * clustered.prompts
    assert clustered.samples == pytest.approx(2.5 * plan(base).samples, rel=0.06)  # t over clusters, not McNemar
    same = plan(dataclasses.replace(base, per_prompt=4, icc=1.0))
    assert same.prompts == pytest.approx(plan(base).samples, rel=0.06)


def test_the_plan_is_the_smallest_that_reaches_the_power():
    for study in (Study(mde=0.05, p=0.6), Study(mde=0.3, measure="mean", design="independent")):
        made = plan(study)
        assert power_of(study, made.prompts) >= 0.8 > power_of(study, made.prompts - 1)
        assert made.power == power_of(study, made.prompts)


def test_the_smallest_effect_is_the_inverse_of_the_plan():
    study = Study(mde=0.05, p=0.6)
    assert smallest_effect(study, plan(study).prompts) == pytest.approx(0.05, rel=0.01)


def test_correlation_and_shares_bound_the_discordance():
    assert discordance(Study(mde=0.1, p=0.5, correlation=0.99)) == pytest.approx(0.1)
    assert discordance(Study(mde=0.1, p=0.5, correlation=0.0)) == pytest.approx(0.5 * 0.4 + 0.5 * 0.6)


def test_one_prompt_has_no_power_for_means():
    assert power_of(Study(mde=1, measure="mean"), 1) == 0.0
    assert power_of(Study(mde=50, measure="mean"), 100) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "changed",
    [
        {"mde": 0},
        {"mde": 0.6},
        {"alpha": 0},
        {"power": 0.01},
        {"sd": 0},
        {"correlation": 1.0},
        {"icc": 2},
        {"systems": 1},
        {"discordant": 0.01},
    ],
)
def test_what_cannot_be_planned_is_explained(changed):
    with pytest.raises(EvalkitError):
        plan(dataclasses.replace(Study(mde=0.1), **changed))


def test_differences_too_small_to_find_are_named():
    with pytest.raises(EvalkitError, match="trillion"):
        plan(Study(mde=1e-8))
