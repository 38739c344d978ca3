import dataclasses
import math

import pytest

from evalkit.jobs.earlier import as_stated
from evalkit.runs.store import Result

NOW = Result(
    "reconstruction",
    "photos",
    "lpips",
    0.2,
    0.1,
    0.4,
    "Student's t over 24 samples, corrected for skewness",
    24,
    "",
    "lower",
    "p",
)


def stated(**changed):
    return {**dataclasses.asdict(NOW), **changed}


@pytest.mark.parametrize(
    "method",
    [
        "Student's t over 24 samples",
        "studentised bootstrap over 24 samples, 2000 resamples",
        "all 24 samples are equal",
        "Wilson score interval over 24 samples, 9 effective in 6 clusters",
        "bounds of 6 independent parts combined (MOVER)",
        "Student's t of the logarithm over 24 samples, carried through 10 log10(peak² / mean error)",
    ],
)
def test_an_interval_of_an_earlier_method_stands_as_it_is_stated_and_is_named(method):
    (found,), said = as_stated([stated(low=0.15, high=0.25, ci_method=method)], [NOW])
    assert (found.low, found.high, found.ci_method, found.value) == (0.15, 0.25, method, 0.2)
    assert method in said
    assert "their bounds were not" in said


def test_another_value_is_not_excused_by_an_earlier_method():
    (found,), _ = as_stated([stated(value=0.1, ci_method="Student's t over 24 samples")], [NOW])
    assert found.value == 0.2


@pytest.mark.parametrize("method", [NOW.ci_method, "as I like it", ""])
def test_bounds_under_this_method_or_an_unknown_one_are_those_of_the_rows(method):
    (found,), said = as_stated([stated(low=0.15, ci_method=method)], [NOW])
    assert found == NOW
    assert said is None


def test_an_infinite_mean_of_an_earlier_run_is_not_missing_what_stands_beside_it_now():
    psnr = dataclasses.replace(
        NOW,
        metric="psnr",
        ci_method="Student's t over 21 samples; 3 of 24 values are infinite (exact images) and left out",
    )
    exact = dataclasses.replace(NOW, metric="images_exact", value=3.0, ci_method="count")
    old = stated(
        metric="psnr",
        value="inf",
        low=None,
        high=None,
        ci_method="no interval: 3 of 24 values are infinite (identical pairs)",
    )
    (found,), said = as_stated([old], [psnr, exact])
    assert (found.value, found.low) == (math.inf, None)
    assert "identical pairs" in said
    assert len(as_stated([], [psnr, exact])[0]) == 2
