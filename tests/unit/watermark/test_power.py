"""Plans of marks: the published kind of table, exactness against brute force, and what bounds it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from evalkit.errors import EvalkitError
from evalkit.watermark.power import (
    MarkPlan,
    codes_needed,
    codes_needed_normal,
    greens_needed,
    power,
    power_table,
)

# N for 90 % power at FPR 1e-2 / 1e-6 by the normal formula, for match 1, 0.7, 0.5, 0.3
TABLE = {
    (0.1, 1): "89/223 170/438 317/832 833/2232",
    (0.25, 1): "54/144 108/291 208/564 563/1542",
    (0.25, 2): "12/33 26/70 52/137 140/376",
    (0.25, 4): "4/12 11/29 22/60 62/166",
    (0.5, 1): "57/163 120/341 240/675 673/1888",
    (0.5, 2): "18/54 41/120 86/244 245/690",
    (0.5, 4): "8/28 24/72 52/149 151/428",
}  # fmt: skip


@pytest.mark.parametrize(("gamma", "delta"), list(TABLE))
def test_the_normal_formula_gives_the_known_table_within_rounding(gamma: float, delta: float) -> None:
    for match, cell in zip((1.0, 0.7, 0.5, 0.3), TABLE[gamma, delta].split(), strict=True):
        for alpha, wanted in zip((1e-2, 1e-6), map(int, cell.split("/")), strict=True):
            found = codes_needed_normal(MarkPlan(delta, gamma, match, alpha=alpha))
            assert found is not None
            assert abs(found - wanted) <= 1


def brute_power(plan: MarkPlan, n: int) -> float:
    p_values = [binom.sf(g - 1, n, plan.gamma) if g else 1.0 for g in range(n + 1)]
    return float(sum(binom.pmf(g, n, plan.green) for g in range(n + 1) if p_values[g] * plan.lists <= plan.alpha))


@given(
    n=st.integers(1, 120),
    gamma=st.sampled_from((0.1, 0.25, 0.5, 0.9)),
    delta=st.sampled_from((0.5, 2.0, 6.0, math.inf)),
    match=st.floats(0, 1),
    lists=st.sampled_from((1, 16, 1024)),
    alpha=st.sampled_from((0.05, 1e-2, 1e-3, 1e-6)),
)
def test_power_is_the_sum_over_the_scores_that_the_detector_rejects(
    n: int, gamma: float, delta: float, match: float, lists: int, alpha: float
) -> None:
    plan = MarkPlan(delta, gamma, match, lists, alpha)
    assert float(power(plan, n)) == pytest.approx(brute_power(plan, n), abs=1e-9)
    g = int(greens_needed(plan, n))
    assert g == n + 1 or binom.sf(g - 1, n, gamma) * lists <= alpha * (1 + 1e-9)


def test_an_unmarked_image_is_found_at_most_as_often_as_the_rate_says() -> None:
    plan = MarkPlan(delta=1e-12, alpha=1e-2)
    assert (power(plan, np.arange(1, 400)) <= 1e-2).all()


def test_needed_codes_are_the_first_after_the_last_tooth() -> None:
    plan = MarkPlan(delta=2, alpha=1e-6)
    needed = codes_needed(plan)
    assert needed is not None
    assert float(power(plan, needed - 1)) < 0.9
    assert (power(plan, np.arange(needed, needed + 300)) >= 0.9).all()


def test_a_larger_pool_and_a_lower_match_need_more_codes() -> None:
    base = codes_needed(MarkPlan(delta=2))
    assert base is not None
    for harder in (MarkPlan(delta=2, lists=64), MarkPlan(delta=2, match=0.5), MarkPlan(delta=1)):
        assert (codes_needed(harder) or 0) > base


def test_no_match_no_plan_and_too_few_codes_are_said() -> None:
    assert codes_needed(MarkPlan(delta=2, match=0)) is None
    (row,) = power_table([MarkPlan(delta=math.inf, alpha=1e-6)], 19)
    assert row.greens is None
    assert row.power == 0
    assert power_table([MarkPlan(delta=math.inf, alpha=1e-6)], 20)[0].power == 1


@pytest.mark.parametrize(
    "wrong", [{"gamma": 0.0}, {"match": 1.5}, {"delta": 0.0}, {"lists": 0}, {"alpha": 1.0}, {"delta": math.nan}]
)
def test_impossible_plans_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(EvalkitError, match="given"):
        MarkPlan(**{"delta": 2.0, **wrong})  # type: ignore[arg-type]
    with pytest.raises(EvalkitError, match="from 1 to"):
        power_table([MarkPlan(2.0)], 0)
    with pytest.raises(EvalkitError, match="between 0 and 1"):
        codes_needed_normal(MarkPlan(2.0), 1.0)
