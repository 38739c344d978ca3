"""Policies for lost items, with the shared demonstration: four items, one refused, one image missing."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.judges.aggregates import mean_of_categories, mean_of_items, weighted_categories
from evalkit.judges.parse import Scale
from evalkit.judges.policy import LOST, POLICIES, Item, Policy
from evalkit.judges.scored import apply_policy

UNIT = Scale(0, 1, whole=False)
DEMO = [Item("a", "t", 1.0), Item("b", "t", 0.5), Item("c", "t", None, "refused"), Item("d", "t", None, "missing")]


@pytest.mark.parametrize(("policy", "value"), [("drop", 0.75), ("zero", 0.375), ("worst", 0.375), ("abort", None)])
def test_the_same_items_score_by_the_policy(policy, value):
    score = apply_policy(DEMO, policy, UNIT)
    assert (score.value, score.coverage, score.policy) == (value, 0.5, policy)
    assert (score.worst, score.best) == (0.375, 0.875)
    assert score.lost == {"refused": 1, "missing": 1}


def test_guesses_spread_as_widely_as_they_can():
    tenths = [k / 10 for k in range(11)]
    score = apply_policy(DEMO, "random-drop-missing", UNIT, guesses=tenths)
    assert score.value == pytest.approx(2 / 3, rel=1e-12)
    assert score.spread == pytest.approx((0.5, 2.5 / 3), abs=0.01)
    assert score == apply_policy(DEMO, "random-drop-missing", UNIT, guesses=tenths)
    tenths.append(0.99)
    assert score.value != apply_policy(DEMO, "random-drop-missing", UNIT, guesses=tenths).value


def test_an_aborted_score_says_how_many_are_lost():
    assert "2 of 4 items are lost" in apply_policy(DEMO, "abort", UNIT).reason
    assert apply_policy(DEMO[:2], "abort", UNIT).value == 0.75


def test_each_way_of_losing_may_have_its_own_rule():
    mine = Policy("mine", refused="worst", unparsed="drop", failed="abort", missing="zero")
    items = [
        Item("a", "t", 5.0),
        Item("b", "t", None, "refused"),
        Item("c", "t", None, "unparsed"),
        Item("d", "t", None, "missing"),
    ]
    assert apply_policy(items, mine, Scale(1, 5)).value == pytest.approx((5 + 1 + 0) / 3)


def test_ten_percent_refusals_in_one_category_show_bounds_and_a_warning():
    items = [Item(f"p{i}", "people", None if i < 10 else 8.0, "refused" if i < 10 else "answered") for i in range(100)]
    items += [Item(f"o{i}", "objects", 8.0) for i in range(100)]
    score = apply_policy(items, "zero", Scale(0, 10), mean_of_categories)
    assert (score.value, score.worst, score.best) == (pytest.approx(7.6), pytest.approx(7.6), pytest.approx(8.1))
    assert score.losses.warning.startswith(
        "Categories lose items unequally (p = 0.0015): people 10 of 100, but objects 0"
    )
    assert apply_policy(items, "drop", Scale(0, 10), mean_of_categories).value == pytest.approx(8)


@st.composite
def some_items(draw):
    states = st.sampled_from(["answered", *LOST])
    n = draw(st.integers(1, 12))
    drawn = [(draw(states), draw(st.sampled_from("ab")), draw(st.integers(0, 10))) for _ in range(n)]
    return [Item(str(i), c, float(v) if s == "answered" else None, s) for i, (s, c, v) in enumerate(drawn)]


@given(some_items(), st.sampled_from(sorted(POLICIES)))
def test_no_policy_that_fills_in_leaves_the_bounds(items, policy):
    score = apply_policy(items, policy, Scale(0, 10))
    assert score.worst <= score.best
    if score.value is not None and policy in ("zero", "worst", "random"):
        assert score.worst - 1e-9 <= score.value <= score.best + 1e-9
    assert score.coverage == pytest.approx(sum(i.value is not None for i in items) / len(items))


def test_aggregates_differ_in_what_they_weigh():
    valued = [Item("x", "a", 1.0), Item("y", "a", 1.0), Item("z", "b", 0.0)]
    assert mean_of_items(valued) == pytest.approx(2 / 3)
    assert mean_of_categories(valued) == 0.5
    assert weighted_categories({"a": 0.25, "b": 0.75})(valued) == 0.25
    assert math.isnan(weighted_categories({"c": 1})(valued))
    assert mean_of_items([Item("x", "a", 1.0, weight=3), Item("y", "a", 0.0)]) == 0.75
    assert weighted_categories({"a": 1}, digits=1)([Item("x", "a", 0.26)]) == 0.3


@pytest.mark.parametrize("odd", [("a", "t", None, "answered"), ("a", "t", 1.0, "refused"), ("a", "t", None, "gone")])
def test_items_that_contradict_themselves_are_refused(odd):
    with pytest.raises(EvalkitError):
        Item(*odd)


def test_unknown_policies_and_empty_lists_are_refused():
    with pytest.raises(EvalkitError, match="no policy 'ignore'"):
        apply_policy(DEMO, "ignore", UNIT)
    with pytest.raises(EvalkitError, match="nothing to score"):
        apply_policy([], "drop", UNIT)
