import json
from pathlib import Path

import pytest

from evalkit.tasks.probe.editing.viescore import balance, edit_score, over_tasks, task_means

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "editing_and_judges.json").read_text())["viescore"]


def by_task():
    found = {}
    for row in GOLDEN["rows"]:
        found.setdefault(row["task"], []).append(edit_score(row["SC"], row["PQ"]))
    return found


def numbers(means):
    return [means.consistency, means.quality, means.overall]


def test_edits_tasks_and_the_macro_mean_are_the_official_ones():
    for row in GOLDEN["rows"]:
        assert edit_score(row["SC"], row["PQ"]).overall == pytest.approx(row["O"], rel=1e-9)
    means = task_means(by_task())
    assert set(means) == set(GOLDEN["per_task"])
    for task, each in means.items():
        assert numbers(each) == pytest.approx(GOLDEN["per_task"][task], rel=1e-9)
    assert numbers(over_tasks(means)) == pytest.approx(GOLDEN["macro"], rel=1e-9)
    assert numbers(over_tasks(means)) != pytest.approx(GOLDEN["micro_not_official"], rel=1e-3)


def test_the_balance_is_the_harmonic_mean():
    found = [balance(*row["SC"]) for row in GOLDEN["rows"]]
    assert found == pytest.approx(GOLDEN["balance_harmonic_VAREdit"], rel=1e-9)
    assert balance(0, 0) == 0
