"""Two pages over the same runs say the same: a report marks a value exactly where the leaderboard has a first."""

import json

import pyarrow.parquet as pq

from evalkit.leaderboard.boards import make_boards
from evalkit.leaderboard.collect import collect
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
