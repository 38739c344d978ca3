import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.leaderboard.reasons import SILENT
from evalkit.leaderboard.words import why_apart


def said(runs, *paths):
    from evalkit.leaderboard.collect import collect

    found = runs.boards(*paths)
    entrants = collect(paths).entrants
    return found, [why_apart(each, entrants) for each in found.apart]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"protocol": "vtbench-2025"}, "protocol evalkit-1 and vtbench-2025"),
        ({"record": {"data": {"name": "photos", "n": 60, "digest": "f" * 64}}}, "digest of the data"),
        ({"record": {"protocols": [{"id": "evalkit-1", "sha256": "0" * 64}]}}, "rules of the protocol"),
        ({"record": {"reference": {"digest": "9" * 64}}}, "digest of the data"),
        ({"ids": [f"t{i}" for i in range(60)]}, "measured samples"),
        ({"row": {"dataset": "others"}}, "data set photos and others"),
    ],
)
def test_numbers_taken_otherwise_are_never_ranked_together(runs, noise, change, word):
    a, b = runs.run("a", noise(1)), runs.run("b", noise(2), **change)
    found, reasons = said(runs, a, b)
    assert [len(board.entrants) for board in found.boards] == [1, 1]
    assert len(reasons) == 1
    assert word in reasons[0]
    assert "PSNR" in reasons[0]


def test_another_n_is_named_with_both_counts(runs, noise):
    a, b = runs.run("a", noise(1)), runs.run("b", noise(2)[:12])
    _, (reason,) = said(runs, a, b)
    assert "n 12 and 60" in reason or "n 60 and 12" in reason


def test_a_failed_sample_takes_a_run_off_the_board_and_out_of_no_other(runs, noise):
    broken = noise(2)
    broken[3] = np.nan
    rows = [runs.result("psnr", float(np.nanmean(broken)), 59), runs.result("ssim", float(noise(7).mean()), 60)]
    a = runs.run(
        "a",
        noise(1),
        columns={"ssim": noise(6)},
        results=[runs.result("psnr", float(noise(1).mean()), 60), runs.result("ssim", float(noise(6).mean()), 60)],
    )
    b = runs.run("b", broken, columns={"ssim": noise(7)}, results=rows)
    found, (reason,) = said(runs, a, b)
    assert {board.terms.metric: len(board.entrants) for board in found.boards if len(board.entrants) > 1} == {"ssim": 2}
    assert "59" in reason


def test_runs_that_meet_on_one_protocol_are_not_called_apart_on_another(runs, noise):
    def both(name, seed):
        values = np.concatenate([noise(seed), noise(seed) - 1])
        rows = [
            runs.result("psnr", float(part.mean()), 60, protocol=protocol)
            for part, protocol in ((values[:60], "evalkit-1"), (values[60:], "clean"))
        ]
        columns = {"protocol": ["evalkit-1"] * 60 + ["clean"] * 60}
        return runs.run(name, values, columns=columns, results=rows, ids=[f"s{i % 60}" for i in range(120)])

    found, reasons = said(runs, both("a", 1), both("b", 2))
    assert [len(board.entrants) for board in found.boards] == [2, 2]
    assert reasons == []


def test_missing_numbers_stay_missing_and_say_why(runs, noise):
    a = runs.run("a", noise(1))
    b = runs.run("b", noise(2), results=[runs.result("psnr", None, 0)])
    c = runs.run("c", noise(3), "ssim")
    found = runs.boards(a, b, c)
    board = next(each for each in found.boards if each.terms.metric == "psnr")
    assert board.entrants == (0,)
    assert [(each.entrant, each.reason) for each in board.missing] == [(1, "its weights are not here"), (2, SILENT)]


def test_what_nobody_measured_is_listed_once(runs):
    paths = [runs.bare(name, [runs.result("fid", None, 0), runs.result("psnr", 1.0, 2)]) for name in "ab"]
    found = runs.boards(*paths)
    assert found.unmeasured == {("fid", "evalkit-1"): "its weights are not here"}
    assert [board.terms.metric for board in found.boards] == ["psnr"]


def test_metrics_can_be_chosen(runs, noise):
    from evalkit.leaderboard.boards import make_boards
    from evalkit.leaderboard.collect import collect

    a, b = runs.run("a", noise(1)), runs.run("b", noise(2), "ssim")
    assert [board.terms.metric for board in make_boards(collect([a, b]), metrics=["ssim"]).boards] == ["ssim"]


def test_several_runs_of_which_no_two_compare_make_no_leaderboard(runs, noise, tmp_path):
    a, b = runs.run("a", noise(1)), runs.run("b", noise(2)[:12], protocol="vtbench-2025")
    with pytest.raises(
        EvalkitError, match=r"no two of these 2 runs can be ranked together(.|\n)*protocol .*; n "
    ) as error:
        runs.make(tmp_path / "board", a, b)
    assert "a and b" in str(error.value) or "b and a" in str(error.value)
    assert not (tmp_path / "board").exists()


def test_runs_without_a_metric_in_common_say_so(runs, noise, tmp_path):
    with pytest.raises(EvalkitError, match="no metric in common"):
        runs.make(tmp_path / "board", runs.run("a", noise(1)), runs.run("b", noise(2), "ssim"))
