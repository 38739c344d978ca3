"""GEdit's random guesses: of each lost answer and not of the score, so that what was answered keeps its say."""

import json
from dataclasses import replace
from itertools import product
from math import sqrt
from statistics import fmean

import pytest
from helpers.judged import judged_rows

from evalkit.judges.parse import Scale
from evalkit.judges.policy import Item
from evalkit.judges.scored import apply_policy, filled

GUESSES = range(11)


def gedit(*texts):
    """Scores of the suite by name, for (sc, pq) texts of one task."""
    items = [({"Intersection_exist": False}, "add", 0, {"sc": sc, "pq": pq}) for sc, pq in texts]
    suite, rows = judged_rows("gedit", items)
    return {score.name: score for score in suite.summary(rows)}


def reply(*scores):
    return json.dumps({"score": list(scores), "reasoning": ""})


def test_a_lost_answer_is_guessed_and_the_other_one_is_not():
    scores = gedit((reply(8, 9), reply(8)), ("no idea", reply(4, 5)), (reply(2), "none"), ("none", "none"))
    ones = [
        8.0,
        fmean(sqrt(g * 4) for g in GUESSES),
        fmean(sqrt(2 * g) for g in GUESSES),
        fmean(sqrt(a * b) for a, b in product(GUESSES, GUESSES)),
    ]
    assert scores["gedit"].estimate.value == pytest.approx(fmean(ones), rel=1e-12)
    assert scores["gedit"].estimate.low < fmean(ones) < scores["gedit"].estimate.high
    assert scores["gedit/quality"].estimate.value == pytest.approx((8 + 4 + 5 + 5) / 4, rel=1e-12)
    assert scores["gedit"].bounds == (2.0, 9.5)


def test_a_score_whose_answer_is_there_does_not_move():
    scores = gedit((reply(8), reply(8)), ("none", reply(4)))
    assert scores["gedit/quality"].estimate.value == pytest.approx(6, rel=1e-12)
    assert "from 6 to 6" in scores["gedit/quality"].note


def test_intervals_take_a_guess_at_its_mean():
    item = Item("a", "t", None, "unparsed", guesses=(1.0, 2.0, 6.0))
    assert [each.value for each in filled([item], "random", Scale(0, 10))] == [3.0]
    assert apply_policy([item], "random", Scale(0, 10)).value == 3
    assert [each.value for each in filled([replace(item, guesses=())], "random", Scale(0, 10))] == [5.0]


def test_edits_beyond_the_intersection_are_not_of_its_score():
    items = [({"Intersection_exist": i < 1}, "add", 0, {"sc": reply(9 - i), "pq": reply(9 - i)}) for i in range(3)]
    suite, rows = judged_rows("gedit", items)
    scores = {score.name: score.estimate for score in suite.summary(rows)}
    assert (scores["gedit"].value, scores["gedit/intersection"].value) == (8.0, 9.0)
    assert scores["gedit/intersection"].n == 1
    assert ["intersection" in row.values for row in rows] == [True, False, False]
