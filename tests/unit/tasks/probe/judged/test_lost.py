"""The acceptance case of lost replies: a judge that refuses a tenth of one category of WISE moves the score, and says so."""

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
