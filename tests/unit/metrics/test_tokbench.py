"""TokBench's word scores, groups and table against outputs of the official code."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from evalkit.metrics.metric import NotMeasured, Parts
from evalkit.metrics.tokbench import COLUMN, FACES, GROUPS, MeanOfGroups, group_of, ratio_of, word_scores
from evalkit.protocols import load_protocol

CASES = json.loads((Path(__file__).parent / "data" / "tokbench.json").read_text())["cases"]


def cases(fn):
    return [case for case in CASES if case["fn"].startswith(fn)]


def parts(*images, setting=256):
    rows = pa.table({COLUMN: pa.array([json.dumps([setting, words]) for words in images], pa.string())})
    return Parts(rows, load_protocol("evalkit-1"), range=(0.0, 1.0))


@pytest.mark.parametrize("case", cases("word"))
def test_a_word_scores_as_officially(case):
    assert word_scores(*case["input"]) == pytest.approx((case["expected"]["accuracy"], case["expected"]["ned"]))


@pytest.mark.parametrize("case", cases("group text"))
def test_a_ratio_is_of_the_official_group(case):
    ratio, setting = case["input"]
    assert group_of(ratio, int(setting)) == case["expected"]


def test_the_table_weighs_groups_alike_and_pools_words():
    (case,) = cases("table 256")
    words = [[word["ratio"], word["accuracy"], word["ned"]] for word in case["input"]]
    for place, name in ((1, "acc"), (2, "ned")):
        found = [MeanOfGroups(place, group)(parts(words[:3], words[3:])).value for group in GROUPS]
        found.append(MeanOfGroups(place)(parts(words[:3], words[3:])).value)
        assert found == pytest.approx(case["expected"][name], rel=1e-9)


def test_the_released_log_comes_to_its_mean():
    (case,) = cases("released log")
    expected = case["expected"]
    ends = (0.02, 0.03, 0.04)
    words = []
    for ratio, count, accuracy, ned in zip(ends, expected["n"], expected["acc"], expected["ned"], strict=True):
        right = round(accuracy * count)
        words += [[ratio, float(i < right), ned] for i in range(count)]
    assert MeanOfGroups(1)(parts(words)).value == pytest.approx(expected["mean_acc"], rel=1e-9)
    assert MeanOfGroups(2)(parts(words)).value == pytest.approx(expected["mean_ned"], rel=1e-9)


def test_a_group_without_words_and_images_without_any():
    with pytest.raises(NotMeasured, match="no word is of the small ones"):
        MeanOfGroups(1)(parts([[0.5, 1.0, 1.0]]))
    assert MeanOfGroups(1)(parts()) is None


def test_the_ratio_is_the_length_of_a_character_beside_the_longer_side():
    assert ratio_of((0, 0, 100, 20), "abcde", 200, 400) == 100 / 5 / 400


def test_faces_go_by_other_ranges():
    assert [group_of(ratio, 512, "face") for ratio in (0.0, 0.04, 0.05, 0.2, 1.0)] == [0, 0, 1, 2, None]
    rows = pa.table({FACES: pa.array([json.dumps([256, [[0.05, 0.2], [0.15, 0.6], [0.5, 1.0], [0.05, 0.4]]])])})
    found = MeanOfGroups(1, "", FACES, "face")(Parts(rows, load_protocol("evalkit-1"), range=(-1.0, 1.0)))
    assert found.value == pytest.approx((0.3 + 0.6 + 1.0) / 3)
