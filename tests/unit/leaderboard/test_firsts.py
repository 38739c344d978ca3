"""Two pages over the same runs say the same: a report marks a value exactly where the leaderboard has a first."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from evalkit.leaderboard.boards import make_boards
from evalkit.leaderboard.collect import collect
from evalkit.leaderboard.compare import compare_runs
from evalkit.leaderboard.firsts import firsts
from evalkit.pages.summary import summary
from evalkit.runs.store import Run


def as_run(path):
    (entrant,) = collect([path]).entrants
    results = json.loads((path / "results.json").read_bytes())
    return Run(path, entrant.record, results, pq.read_table(path / "samples.parquet"), [])


def test_a_report_marks_what_the_leaderboard_has_first(runs, noise):
    paths = []
    for name, seed, gain in (("a", 1, 0.0), ("b", 2, 0.4), ("c", 3, -1.0)):
        psnr, ssim = noise(seed) + gain, noise(seed + 5)
        rows = [runs.result(m, float(v.mean()), 60, low=0.0, high=99.0) for m, v in (("psnr", psnr), ("ssim", ssim))]
        paths.append(runs.run(name, psnr, columns={"ssim": ssim}, results=rows))
    boards = make_boards(collect(paths)).boards
    stars = {each.terms.metric: each.entrants[0] for each in boards if each.order.standings[0].worst == 1}
    rows = summary([as_run(path) for path in paths], firsts(paths))
    assert {row.key[3]: row.best for row in rows if row.best is not None} == stars == {"psnr": 1}


def test_intervals_that_overlap_hide_no_paired_difference(runs, noise):
    paths = [runs.run(name, noise(seed) + gain) for name, seed, gain in (("a", 1, 0.0), ("b", 2, 0.5))]
    (first,) = firsts(paths).values()
    assert (first.column, first.ranked) == (1, frozenset({0, 1}))


def test_runs_that_may_not_be_compared_have_no_first(runs, noise):
    paths = [runs.run("a", noise(1)), runs.run("b", noise(2) + 9, protocol="clean")]
    assert firsts(paths) == {}


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 8, 12, 13, 20])
@pytest.mark.parametrize("kind", ["normal", "verdicts", "constant", "skewed"])
def test_a_board_has_a_first_exactly_where_the_comparison_decides(runs, n, kind):
    outcomes = set()
    for seed, gain in enumerate((0.0, 0.3, 1.0, 5.0)):
        rng = np.random.default_rng([n, seed])
        old = rng.normal(30, 1, n)
        new = old + gain + {"constant": 0.0, "skewed": rng.lognormal(0, 2, n)}.get(kind, rng.normal(0, 0.3, n))
        if kind == "verdicts":
            old, new = (old > 30) * 1.0, (new > 30) * 1.0
        paths = [runs.run(f"{name}{seed}", values) for name, values in (("old", old), ("new", new))]
        (pair,) = compare_runs(paths).pairs
        decided = pair.outcome in ("better", "worse")
        assert bool(firsts(paths)) is decided, (pair.outcome, pair.gap)
        outcomes.add(decided)
    assert n > 5 or outcomes == {False}  # with so few images no order of signs is rare enough
