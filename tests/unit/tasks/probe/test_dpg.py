"""DPG-Bench's quirks against outputs of its official function."""

import json
from pathlib import Path
from statistics import fmean

import pytest

from evalkit.errors import EvalkitError
from evalkit.tasks.probe.dpg import category_scores, dpg_image

GOLDEN = json.loads((Path(__file__).parent / "data" / "editing_and_judges.json").read_text())["dpg"]


def image_of(row):
    order = [str(question) for question in row["question_order"]]
    parents = {child: [str(parent) for parent in each] for child, each in row["dependency"].items()}
    return dpg_image(order, parents, row["answers"])


def test_images_crops_and_plain_answers_are_the_official_ones():
    for row in GOLDEN["rows"]:
        image = image_of(row)
        assert image.score == pytest.approx(row["score"], rel=1e-9)
        assert image.crops == pytest.approx(row["crop_scores"], rel=1e-9)
        assert image.plain == row["last_crop_pre_dependency"]


def test_the_benchmark_and_its_categories_are_the_official_ones():
    images = [(image_of(row), row["tuple"]) for row in GOLDEN["rows"]]
    assert 100 * fmean(image.score for image, _ in images) == pytest.approx(GOLDEN["dpg_score_x100"], rel=1e-9)
    for key, coarse in (("L1", True), ("L2", False)):
        assert category_scores(images, coarse=coarse) == pytest.approx(GOLDEN[key], rel=1e-9)


def test_a_zero_passes_on_only_along_the_order():
    parents = {"1": ["0"], "2": ["1"], "3": ["2"]}
    answers = {"1": ["no"], "2": ["yes"], "3": ["yes"]}
    assert dpg_image(["1", "2", "3"], parents, answers).score == 0
    assert dpg_image(["3", "2", "1"], parents, answers).score == pytest.approx(1 / 3)


@pytest.mark.parametrize("answers", [{}, {"1": ["yes"]}, {"1": ["yes"], "2": ["yes", "no"]}, {"1": [], "2": []}])
def test_answers_that_are_missing_are_said(answers):
    with pytest.raises(EvalkitError, match="lacks answers"):
        dpg_image(["1", "2"], {}, answers)
