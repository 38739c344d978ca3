"""The mean of tasks as sums over samples: the value, and the error of independent tasks."""

import numpy as np
import pytest

from evalkit.metrics.probe import mean_of_tasks
from evalkit.metrics.registry import METRICS
from evalkit.stats.units import units_of


class Columns:
    def __init__(self, scores, tasks):
        self.scores, self.tasks = np.array(scores, float), tasks

    def numbers(self, name):
        return self.scores

    def counted(self, name, unit):
        return np.array([unit(task) for task in self.tasks])


def test_the_mean_of_tasks_is_a_mean_of_samples_with_the_error_of_independent_tasks():
    scores, tasks = [1, 0, 1, 1, 0, 0, 1, 0], list("aabbbbbb")
    (found,) = mean_of_tasks("m", Columns(scores, tasks), np.ones(8, bool))
    first, second = np.array(scores[:2], float), np.array(scores[2:], float)
    assert found.value == pytest.approx((first.mean() + second.mean()) / 2)
    units = units_of(found.values)
    assert units.mean == pytest.approx(found.value)
    wanted = np.sqrt(first.var() / 2 + second.var() / 6) / 2
    assert units.standard_error == pytest.approx(wanted * np.sqrt(8 / 7))


def test_images_without_a_score_are_left_out():
    (found,) = mean_of_tasks("m", Columns([1, np.nan, 0], list("aab")), np.ones(3, bool))
    assert found.value == 0.5
    assert np.isnan(found.values).tolist() == [False, True, False]


def test_scores_of_another_detector_are_declared_by_their_name():
    found = METRICS.find("geneval@my-detector/color_attr")
    assert (found.better, found.high, found.task) == ("higher", 1.0, "probe")
    assert "my-detector" in found.title
    assert METRICS.find("images_missing").better == "none"


def test_weights_and_decimals_of_a_judged_suite_are_those_of_its_headline():
    columns = Columns([1, 0, 1, 1, 0, 1], ["culture", "culture", "culture", "time", "time", "space"])
    every = np.ones(6, bool)
    (found,) = METRICS.get("wise").by_sample.ways("m", columns, every)
    assert found.value == pytest.approx((0.4 * 2 / 3 + 0.167 / 2 + 0.133) / 0.7)
    assert np.mean(found.values) == pytest.approx(found.value)
    (found,) = METRICS.get("geneval-plus").by_sample.ways("m", columns, every)
    assert found.value == pytest.approx((0.6667 + 0.5 + 1) / 3, rel=1e-12)
    assert list(METRICS.get("wise").by_sample.ways("m", Columns([1], ["elsewhere"]), np.ones(1, bool))) == []
