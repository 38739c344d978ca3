"""The simulation behind the stated levels: a small one here, and what the committed table of the large one says."""

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

TABLES = Path(__file__).parents[3] / "benchmarks" / "tables"


@pytest.fixture(scope="module")
def simulation():
    spec = importlib.util.spec_from_file_location("coverage_table", TABLES / "coverage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows():
    with (TABLES / "coverage.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def chosen(rows, what, method="", law=""):
    found = [row for row in rows if row["what"] == what and method in row["method"] and law in row["law"]]
    assert found
    return found


def test_paired_differences_cover_in_a_small_simulation(simulation):
    held = {row["law"]: row["coverage"] for row in simulation.differences(40) if row["n"] == 30}
    assert np.mean(list(held.values())) == pytest.approx(0.95, abs=0.04)


def test_distances_cover_their_average_in_a_small_simulation(simulation):
    held = [row for row in simulation.distances(40) if "average" in row["method"]]
    assert np.mean([row["coverage"] for row in held]) == pytest.approx(0.95, abs=0.05)


def test_simultaneous_ranks_hold_together_where_marginal_ones_do_not(simulation):
    held = {"simultaneous": [], "marginal": []}
    rng = np.random.default_rng(0)
    for seed in range(150):
        figures, _ = simulation._board("normal", rng, 100, np.zeros(8))
        errors = simulation.shared_errors(figures)
        for kind in held:
            values = [each.value for each in figures]
            found = simulation.rank_intervals(values, errors.covariance, df=errors.df, kind=kind, draws=1000, seed=seed)
            held[kind].append(bool(np.all((found.best == 1) & (found.worst == 8))))
    assert np.mean(held["simultaneous"]) >= 0.91
    assert np.mean(held["marginal"]) < np.mean(held["simultaneous"]) - 0.05


def within(row, low=0.93, high=0.97):
    slack = 2 * float(row["error"])  # the table is itself an experiment
    return low - slack <= float(row["coverage"]) <= high + slack


@pytest.mark.parametrize("law", ["normal", "skewed", "share 0.1", "share 0.7", "verdicts"])
def test_the_table_says_that_means_cover(rows, law):
    for row in chosen(rows, "mean", "mean_interval", law):
        if "as if" not in row["method"]:
            assert within(row), row


def test_the_table_says_that_samples_of_one_prompt_may_not_be_taken_as_independent(rows):
    for row in chosen(rows, "mean", "as if independent"):
        assert float(row["coverage"]) < 0.9


def test_the_table_says_that_paired_differences_cover(rows):
    for row in chosen(rows, "paired difference"):
        assert within(row), row


def test_the_table_says_that_distances_cover_what_they_speak_of(rows):
    for row in chosen(rows, "Fréchet distance", "average"):
        assert within(row), row


def test_the_table_says_that_ranks_hold_together(rows):
    simultaneous, marginal = (chosen(rows, "ranks, joint", kind) for kind in ("simultaneous", "marginal"))
    for row in simultaneous:
        assert float(row["coverage"]) + 2 * float(row["error"]) >= 0.95, row
    assert np.mean([float(row["coverage"]) for row in simultaneous]) >= 0.95
    equal = [float(row["coverage"]) for row in marginal if "all equal" in row["law"]]
    assert min(equal) < 0.9
