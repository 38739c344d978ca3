"""The acceptance case of lost replies: a judge that refuses a tenth of one category of WISE moves the score, and says so."""

import json

import pytest
from helpers.judged import REFUSED, judged_rows

GOOD = "Consistency: 2\nRealism: 1\nAesthetic Quality: 1"
SIZES = {"culture": 400, "time": 167, "space": 133, "biology": 100, "physics": 100, "chemistry": 100}
SCORE = (0.7 * 2 + 0.2 + 0.1) / 2


def scored(refused):
    """The headline of WISE's 1,000 items under the policy drop; `refused`: how many first ones of each category."""
    items = [
        ({"id": f"{name}-{place}"}, name, 0, {"scores": REFUSED if place < refused.get(name, 0) else GOOD})
        for name, size in SIZES.items()
        for place in range(size)
    ]
    suite, rows = judged_rows("wise", items)
    return suite.configured({"policy": "drop"}).summary(rows)[0]


def test_a_tenth_refused_in_one_category_shows_bounds_and_a_warning():
    found = scored({"culture": 40})
    assert found.estimate.value == pytest.approx(SCORE)
    low, high = found.bounds
    assert low == pytest.approx(SCORE - 0.4 * 0.1 * SCORE)
    assert high == pytest.approx(SCORE + 0.4 * 0.1 * (1 - SCORE))
    assert "Categories lose items unequally" in found.note
    assert "culture 40 of 400" in found.note


def test_a_tenth_refused_in_every_category_shows_bounds_without_a_warning():
    found = scored({name: size // 10 for name, size in SIZES.items()})
    assert found.bounds[0] < found.estimate.value < found.bounds[1]
    assert "unequally" not in found.note


def kris(*values):
    """Images of a kind with knowledge for (consistency, instruction, knowledge, quality), None for a refusal."""
    items = []
    for consistency, instruction, knowledge, quality in values:
        both = {"instruction_score": instruction, "knowledge_score": knowledge}
        texts = {
            "consistency": REFUSED if consistency is None else json.dumps({"consistency_score": consistency}),
            "both": REFUSED if instruction is knowledge is None else json.dumps(both),
            "quality": json.dumps({"quality_score": quality}),
        }
        items.append(({"knows": True, "reads": "kris-knowledge", "sort": "conceptual"}, "social", 0, texts))
    suite, rows = judged_rows("kris", items)
    return rows, {score.name: score for score in suite.summary(rows)}


def test_answers_that_a_scored_image_lacks_are_counted_and_bound_the_score():
    rows, scores = kris((5, 5, 5, 5), (None, 3, 3, 1), (3, None, 5, 3), (3, None, None, 3))
    assert [row.state for row in rows] == ["answered"] * 4
    assert [row.details["official"].get("lost_by") for row in rows] == [
        None,
        {"refused": 1},
        {"unparsed": 1},
        {"refused": 1},
    ]
    points, there = 25 * (20 + 7 + 11 + 6 - 4 - 3 - 3 - 2), 4 + 3 + 3 + 2
    assert scores["kris"].estimate.value == pytest.approx(points / there)
    assert scores["kris"].bounds == pytest.approx((points / 16, (points + 100 * 4) / 16))
    assert scores["kris/conceptual"].estimate.value == pytest.approx(points / there)
    assert scores["kris/conceptual"].high == 100
    assert scores["kris/knowledge"].estimate.value == pytest.approx(25 * (4 + 2 + 4) / 3)


def test_corebench_bounds_an_image_by_its_lost_questions():
    fields = {"Checklist": [{"question": str(i)} for i in range(4)]}
    texts = {f"answers/{i}": text for i, text in enumerate(("yes", "no", REFUSED, "perhaps"))}
    suite, rows = judged_rows("t2i-corebench", [(fields, "C-MI", 0, texts)])
    score = suite.summary(rows)[0]
    assert (score.estimate.value, score.bounds) == (0.5, (0.25, 0.75))
    assert rows[0].details["official"]["lost_by"] == {"refused": 1, "unparsed": 1}
