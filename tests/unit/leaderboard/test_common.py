import numpy as np
import pytest

from evalkit.leaderboard.boards import make_boards
from evalkit.leaderboard.collect import collect
from evalkit.leaderboard.common import common_samples
from evalkit.stats.intervals import mean_interval, ratio_interval


def common(*paths):
    found = common_samples(collect(paths))
    return make_boards(found.collected, common=found.boards).boards


def test_runs_with_all_samples_keep_their_numbers_and_intervals(runs, noise):
    paths = [runs.run(name, noise(seed), row={"low": 24.0, "high": 26.0}) for name, seed in (("a", 1), ("b", 2))]
    (board,) = common(*paths)
    assert board.common == ()
    assert {(each.figure.low, each.figure.high) for each in board.order.standings} == {(24.0, 26.0)}


def test_a_number_on_shared_samples_is_what_these_samples_give(runs, noise):
    a, b = noise(1), noise(2)
    b[[3, 7]] = np.nan
    (board,) = common(runs.run("a", a), runs.run("b", b))
    keep = ~np.isnan(b)
    figures = {each.figure.entrant: each.figure for each in board.order.standings}
    wanted = mean_interval(a[keep])
    assert figures[0].value == pytest.approx(wanted.value)
    assert (figures[0].low, figures[0].high) == (pytest.approx(wanted.low), pytest.approx(wanted.high))
    assert board.terms.n == 58
    assert board.common == (58, 60)


def test_a_corpus_rate_is_taken_again_from_its_sums(runs):
    texts = ["abcd", "ab", "abcdefgh", "abc"]
    edits, chars = np.array([1.0, 2.0, 0.0, 1.0]), np.array([4.0, 2.0, 8.0, 3.0])
    columns = {"text_truth": texts}
    whole = runs.run(
        "a", edits / chars, "cer_truth", columns=columns, results=[runs.result("cer_truth", 4 / 17, 4, better="lower")]
    )
    rates = edits / chars
    rates[0] = np.nan
    part = runs.run(
        "b", rates, "cer_truth", columns=columns, results=[runs.result("cer_truth", 3 / 13, 3, better="lower")]
    )
    (board,) = common(whole, part)
    assert [each.figure.value for each in board.order.standings] == pytest.approx([3 / 13, 3 / 13])
    figure = board.order.standings[0].figure
    assert figure.low < figure.value < figure.high
    assert figure.high == pytest.approx(ratio_interval(edits[1:], chars[1:], range=(0, None)).high)


def test_runs_that_share_nothing_keep_their_boards_and_stop_nobody(runs, noise):
    b = noise(2)
    b[0] = np.nan
    strangers = {"ids": [f"t{i}" for i in range(60)], "record": {"data": {"name": "photos", "digest": "o" * 64}}}
    paths = [runs.run("a", noise(1)), runs.run("b", b), runs.run("c", noise(3), **strangers)]
    assert sorted((len(board.entrants), board.terms.n) for board in common(*paths)) == [(1, 60), (2, 59)]


def test_ids_of_other_data_are_not_taken_for_the_same_samples(runs, noise):
    other = {"record": {"data": {"name": "photos", "digest": "o" * 64}}}
    paths = [runs.run("a", noise(1)), runs.run("b", noise(2), **other)]
    assert [len(board.entrants) for board in common(*paths)] == [1, 1]


def test_files_in_another_order_and_under_other_names_are_paired_by_content(runs, noise):
    a, b = noise(1), noise(2)
    shas = [f"{i:064d}" for i in range(60)]
    turned = np.random.default_rng(3).permutation(60)
    one = runs.run("a", a, columns={"sha256": shas})
    two = runs.run(
        "b",
        b[turned],
        ids=[f"hub-{i:02d}" for i in range(60)],
        columns={"sha256": [shas[i] for i in turned]},
        record={"data": {"name": "hub", "n": 60, "digest": "h" * 64}},
        row={"dataset": "hub"},
    )
    found = make_boards(collect([one, two]))
    (board,) = found.boards
    assert (len(board.entrants), board.order.pairing) == (2, "paired by sample")
    aligned = {each.figure.entrant: each.figure.scores for each in board.order.standings}
    assert np.array_equal(aligned[1].values, b)
    assert np.array_equal(aligned[0].values, a)


def test_a_set_that_is_twice_the_same_image_is_two_samples(runs):
    shas = ["1" * 64, "1" * 64, "2" * 64]
    one = runs.run("a", [1.0, 2.0, 3.0], columns={"sha256": shas})
    two = runs.run(
        *("b", [1.5, 2.5, 3.5]),
        ids=["x", "y", "z"],
        columns={"sha256": shas},
        record={"data": {"name": "photos", "n": 3, "digest": "h" * 64}},
    )
    (board,) = make_boards(collect([one, two])).boards
    assert [len(each.figure.scores.values) for each in board.order.standings] == [3, 3]
