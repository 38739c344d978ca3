"""Two runs that differ in the weights of a network that a metric needs never share its board; counts have no board."""

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.leaderboard.collect import collect
from evalkit.leaderboard.terms import terms_of
from evalkit.leaderboard.words import why_apart
from evalkit.metrics.registry import METRICS

NEEDY = [metric for metric in METRICS.all() if metric.needs]
RECORDED = {"ocr": "ocr rapidocr 3.10.0", "faces": "faces yunet-s"}  # as records of format 1 name them


def record(need, digest):
    return {"judges": {"weights": {RECORDED.get(need, need): digest, "another-network": digest}, "unavailable": {}}}


@pytest.mark.parametrize("metric", NEEDY, ids=lambda metric: metric.name)
def test_other_weights_of_a_needed_network_are_another_board_and_are_named(runs, metric):
    need = metric.needs[0]
    row = runs.result(metric.name, 0.5, 60, low=0.4, high=0.6, task=metric.task)
    a = runs.bare("a", [row], record=record(need, "1" * 64))
    b = runs.bare("b", [row], record=record(need, "2" * 64))
    same = runs.bare("c", [row], record=record(need, "1" * 64) | {"command": ["again"]})
    found = runs.boards(a, b, same)
    assert sorted(len(board.entrants) for board in found.boards) == [1, 2]
    (said,) = {why_apart(each, collect([a, b, same]).entrants) for each in found.apart}
    assert f"weights of evaluator networks {RECORDED.get(need, need)} 111111111111" in said
    assert "222222222222" in said


@pytest.mark.parametrize("metric", [m for m in METRICS.all() if not m.needs], ids=lambda metric: metric.name)
def test_networks_that_a_metric_does_not_need_keep_nobody_apart(metric):
    row = {"task": metric.task, "dataset": "d", "metric": metric.name, "protocol": "evalkit-1", "n": 3}
    assert terms_of(record("lpips_alex", "1" * 64), row, "").judges == ""


def test_encoders_of_a_new_record_are_read_beside_the_old_names():
    row = {"task": "distribution", "dataset": "d", "metric": "fd_dinov2", "protocol": "evalkit-1", "n": 3}
    assert terms_of({"encoders": {"dinov2-vitl14": "ab" * 32}}, row, "").judges == "dinov2-vitl14 abababababab"
    assert terms_of({"encoders": {"lpips-alex": "cd" * 32}}, row | {"metric": "lpips_alex"}, "").judges


def test_a_metric_that_nobody_declares_depends_on_every_network():
    row = {"task": "t", "dataset": "d", "metric": "unheard_of", "protocol": "p", "n": 3}
    assert terms_of(record("lpips_alex", "1" * 64), row, "").judges.count("1" * 12) == 2


COUNTS = [metric.name for metric in METRICS.all() if metric.better == "none"]


def test_the_bookkeeping_of_runs_is_declared_as_counts():
    wanted = {"error", "inconclusive", "detected", "images_made", "images_failed", "expected_false_positives"}
    assert wanted <= set(COUNTS)


@pytest.mark.parametrize("better", ["", "higher", "none"])
def test_counts_are_never_ranked_whatever_an_old_run_says(runs, noise, better):
    rows = [runs.result(name, float(i), 60, better=better) for i, name in enumerate(COUNTS)]
    for name in ("a", "b"):
        values = noise(len(name))
        runs.run(name, values, results=[runs.result("psnr", float(np.mean(values)), 60), *rows])
    found = runs.boards()
    assert [board.terms.metric for board in found.boards] == ["psnr"]
    assert found.counts == tuple(COUNTS)


def test_a_number_without_a_direction_that_nobody_declares_is_not_ranked(runs):
    runs.bare("a", [runs.result("unheard_of", 1.0, 3, better="")])
    assert runs.boards().boards == ()


def test_asking_for_a_count_says_why_there_is_no_board(runs, tmp_path):
    for name in ("a", "b"):
        runs.bare(name, [runs.result("images_made", 3.0, 3, better="higher"), runs.result("psnr", 3.0, 3)])
    with pytest.raises(EvalkitError, match="of images_made no value is better than another"):
        runs.make(tmp_path / "board", metrics=("images_made",))
