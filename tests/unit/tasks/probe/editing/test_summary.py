import math

import pytest

from evalkit.errors import EvalkitError
from evalkit.tasks.probe.editing.summary import EditRow, edit_summary

ROWS = [
    EditRow("a", "1-Left-Right", {"psnr": 20.0, "clip": 20.0, "alignment": 1.0}),
    EditRow("b", "1-Left-Right", {"psnr": 22.0, "clip": 22.0, "alignment": 0.0}),
    EditRow("c", "4-Color", {"psnr": 27.0, "clip": 24.0}),
    EditRow("d", "6-Reasoning", {"psnr": 30.0, "clip": -3.0}),
    EditRow("e", "6-Reasoning", {"psnr": 32.0, "clip": -1.0}),
]


def test_understanding_is_pooled_over_folders_and_reasoning_stands_apart():
    scores = {score.name: score.estimate for score in edit_summary(ROWS)}
    assert scores["reason-edit/understanding/psnr"].value == pytest.approx(23)
    assert scores["reason-edit/reasoning/psnr"].value == 31
    assert scores["reason-edit/understanding/alignment"].n == 2
    assert "reason-edit/reasoning/alignment" not in scores


def test_the_mean_of_clip_is_clamped_and_not_each_value():
    scores = {score.name: score.estimate for score in edit_summary([*ROWS, EditRow("f", "6-Reasoning", {"clip": 7.0})])}
    assert scores["reason-edit/reasoning/clip"].value == 1
    assert {s.name: s.estimate.value for s in edit_summary(ROWS)}["reason-edit/reasoning/clip"] == 0


def test_identical_backgrounds_have_no_finite_mean_and_say_so():
    rows = [*ROWS[:2], EditRow("x", "3-Mirror", {"psnr": math.inf})]
    estimate = next(s.estimate for s in edit_summary(rows) if s.name.endswith("understanding/psnr"))
    assert (estimate.value, estimate.low) == (math.inf, None)
    assert "identical" in estimate.method


@pytest.mark.parametrize("odd", [[], [EditRow("a", "7-Other")], [EditRow("a", "3-Mirror", {"fid": 1.0})]])
def test_what_the_benchmark_does_not_have_is_refused(odd):
    with pytest.raises(EvalkitError):
        edit_summary(odd)
