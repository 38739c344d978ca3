"""Verdicts: alpha, false discovery rate, groups, and what can never be decided."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.stats.multiplicity import benjamini_hochberg
from evalkit.watermark.detection.verdict import Rule, hypotheses_of, judge

LOW = -1000.0


def told(p, floor=None, group=None, content=None, **rule):
    n = len(p)
    floors = np.full(n, LOW) if floor is None else np.log(floor)
    groups = np.arange(n) if group is None else np.array(group)
    contents = np.arange(n) if content is None else np.array(content)
    return judge(np.log(p), floors, groups, contents, Rule(**rule))


def test_alpha_decides_each_image_by_itself():
    judged = told([1e-9, 1e-3, 0.0011, 1.0], alpha=1e-3)
    assert judged.verdict.tolist() == ["detected", "detected", "not detected", "not detected"]


def test_a_image_that_could_not_have_reached_alpha_is_inconclusive():
    judged = told([0.3, 0.3], floor=[2.0**-9, 2.0**-10], alpha=1e-3)
    assert judged.verdict.tolist() == ["inconclusive", "not detected"]


@settings(deadline=None)
@given(st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=40), st.floats(1e-3, 0.5))
def test_without_copies_fdr_is_benjamini_hochberg(p, rate):
    judged = told(p, fdr=rate)
    q = benjamini_hochberg(p)
    assume(np.all(np.abs(q - rate) > 1e-9))
    assert np.allclose(judged.q, q)
    assert np.array_equal(judged.verdict == "detected", q <= rate)


@pytest.mark.parametrize("p", [0.125, 0.01, 0.3])
def test_a_p_on_the_line_is_below_it(p):
    assert told([p], fdr=p).verdict.tolist() == ["detected"]
    assert told([p], alpha=p).verdict.tolist() == ["detected"]
    assert told([0.5], floor=[p], alpha=p).verdict.tolist() == ["not detected"]


def test_a_image_in_many_versions_is_one_hypothesis():
    alone = told([1e-4, *[0.5] * 9], fdr=0.01)
    copies = told(
        [1e-4] * 50 + [0.5] * 9, group=[0] * 50 + list(range(50, 59)), content=[0] * 50 + list(range(1, 10)), fdr=0.01
    )
    assert copies.hypotheses == alone.hypotheses == 10
    assert (copies.q[:50] == alone.q[0]).all()
    assert (copies.verdict[:50] == "detected").all()


def test_different_versions_of_a_image_pay_for_being_several():
    judged = told([2e-4, 0.9, 0.5], group=[0, 0, 2], content=[0, 1, 2], fdr=0.01)
    assert judged.q[0] == pytest.approx(2 * 2 * 2e-4)
    assert judged.verdict.tolist() == ["detected", "not detected", "not detected"]  # the other version is not marked


@settings(deadline=None)
@given(st.data(), st.integers(1, 8), st.floats(0.01, 0.9))
def test_q_is_the_least_rate_at_which_the_very_image_is_called(data, groups, rate):
    more = data.draw(st.lists(st.integers(0, groups - 1), max_size=8))
    group = [*range(groups), *more]
    p = data.draw(st.lists(st.floats(1e-6, 1.0), min_size=len(group), max_size=len(group)))
    judged = told(p, group=group, fdr=rate)
    assume(np.all(np.abs(judged.q - rate) > 1e-9))
    assert np.array_equal(judged.verdict == "detected", judged.q <= rate)


def test_an_unmarked_version_does_not_take_the_q_of_a_marked_one():
    judged = told([1e-9, 0.73, 0.5], group=[0, 0, 2], content=[0, 1, 2], alpha=1e-3)
    assert judged.q[0] == pytest.approx(4e-9)
    assert judged.q[1] > 0.7


def test_deep_p_values_stay_apart_from_nothing():
    judged = judge(np.array([-5000.0, -1.0]), np.full(2, LOW), np.arange(2), np.arange(2), Rule(fdr=0.01))
    assert judged.verdict.tolist() == ["detected", "not detected"]
    assert 0 < judged.q[0] < 1e-290


def test_no_images_have_no_verdicts():
    empty = np.zeros(0)
    assert judge(empty, empty, empty.astype(int), empty.astype(int), Rule()).hypotheses == 0


def test_flat_images_are_grouped_by_their_bytes_alone():
    found = hypotheses_of(np.array([0, 7, 0, 0, 7]), np.array([0, 1, 2, 3, 1]), np.array([4, 5, 6, 4, 9]))
    assert found.tolist() == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("rule", [{"alpha": 0}, {"alpha": 1}, {"fdr": 0}, {"fdr": 1.5}])
def test_rates_outside_zero_to_one_are_refused(rule):
    with pytest.raises(EvalkitError, match="lies between 0 and 1"):
        Rule(**rule)
