"""The simulation behind the stated levels: a small one here, and what the committed table of the large one says."""

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
TABLES = ROOT / "benchmarks" / "tables"
OURS = ("mean", "corpus rate", "pooled PSNR", "paired difference", "independent difference")


def loaded(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def simulation():
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(TABLES)
    yield loaded(TABLES / "coverage.py")
    patch.undo()


@pytest.fixture(scope="module")
def rows():
    with (TABLES / "coverage.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def own(rows, what):
    return [
        row for row in rows if row["what"] == what and "plain" not in row["method"] and "as if" not in row["method"]
    ]


def test_differences_of_rare_verdicts_cover_in_a_small_simulation(simulation, monkeypatch):
    monkeypatch.setattr(simulation, "SIZES", (50,))
    monkeypatch.setattr(simulation, "APART", ())
    for row in simulation.differences(60):
        assert row["coverage"] >= 0.87 or row["stated"] < 0.5, row


def test_distances_cover_their_average_in_a_small_simulation(simulation):
    held = [row for row in simulation.distances(40) if "average" in row["method"]]
    assert np.mean([row["coverage"] for row in held]) == pytest.approx(0.95, abs=0.05)


@pytest.mark.parametrize("what", OURS)
def test_the_table_says_that_intervals_hold_their_level_say_that_they_are_conservative_or_are_not_stated(rows, what):
    for row in own(rows, what):
        if int(row["n"]) < 20 or float(row["stated"]) < 0.5:
            continue
        slack = 2 * float(row["error"])  # the table is itself an experiment
        assert float(row["coverage"]) >= 0.93 - slack, row
        if float(row["conservative"]) > 0.5:
            assert float(row["coverage"]) >= 0.95 - slack, row
        assert float(row["coverage"]) <= 0.97 + slack or float(row["conservative"]) > 0, row


def test_the_table_says_that_students_t_of_rare_values_does_not_hold(rows):
    plain = [row for row in rows if "plain" in row["method"] and row["law"] == "97 % zeros" and int(row["n"]) < 1000]
    assert plain
    assert max(float(row["coverage"]) for row in plain) < 0.9


def test_the_table_says_that_samples_of_one_prompt_may_not_be_taken_as_independent(rows):
    assert min(float(row["coverage"]) for row in rows if "as if" in row["method"]) < 0.8


def test_the_table_says_that_distances_cover_what_they_speak_of(rows):
    for row in (row for row in rows if row["what"] == "Fréchet distance" and "average" in row["method"]):
        assert float(row["coverage"]) == pytest.approx(0.95, abs=0.02 + 2 * float(row["error"])), row


def test_the_table_says_that_ranks_hold_together(rows):
    joint = [row for row in rows if row["what"] == "ranks, joint"]
    simultaneous = [row for row in joint if row["method"] == "simultaneous"]
    for row in simultaneous:
        assert float(row["coverage"]) + 2 * float(row["error"]) >= 0.94, row
    assert np.mean([float(row["coverage"]) for row in simultaneous]) >= 0.95
    assert min(float(row["coverage"]) for row in joint if row["method"] == "marginal") < 0.9


def test_the_table_says_that_plans_keep_their_promise(rows):
    plans = [row for row in rows if row["what"] == "power"]
    assert len(plans) >= 8
    for row in plans:
        slack = 0.01 + 2 * float(row["error"])
        assert float(row["coverage"]) == pytest.approx(float(row["promised"]), abs=slack), row


def test_the_page_of_intervals_is_what_the_table_says(rows):
    script = loaded(ROOT / "benchmarks" / "make_intervals_page.py")
    assert (ROOT / "docs" / "intervals.md").read_text(encoding="utf-8") == script.page()
    for row in (row for what in OURS for row in own(rows, what)):
        outside = not script.LOW <= float(row["coverage"] or "nan") <= script.HIGH
        assert bool(script.mark_of(row)) == outside or script.mark_of(row) == "d"
