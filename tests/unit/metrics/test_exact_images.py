"""An identical pair has an infinite PSNR: the mean is that of the rest, and the count and the pooled PSNR stand beside it."""

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from evalkit.metrics.metric import Parts
from evalkit.metrics.psnr import EXACT, POOLED, PSNR
from evalkit.metrics.sums import own_mean
from evalkit.protocols import load_protocol
from evalkit.tasks.tokenizer.numbers import aggregated

ERRORS = np.array([0.0, 0.01, 0.02, 0.0, 0.005, 0.012, 0.03, 0.008, 0.011, 0.016])


def parts(errors):
    with np.errstate(divide="ignore"):
        rows = pa.table(
            {"mse": errors, "psnr": -10 * np.log10(errors), "target_low": errors * 0, "target_high": errors * 0 + 1}
        )
    return Parts(rows, load_protocol("evalkit-1"))


def row(metric, errors):
    return next(aggregated("reconstruction", "set", metric, parts(errors)), None)


def test_the_mean_is_that_of_the_rest_and_all_images_are_counted():
    found, rest = row(PSNR, ERRORS), row(PSNR, ERRORS[ERRORS > 0])
    assert (found.value, found.low, found.high, found.n) == (rest.value, rest.low, rest.high, 10)
    assert found.reason == "2 of 10 values are infinite (exact images) and left out"
    assert rest.reason is None


def test_count_and_pooled_psnr_stand_beside_it_where_there_are_exact_images():
    assert row(EXACT, ERRORS).value == 2
    assert row(POOLED, ERRORS).value == pytest.approx(-10 * math.log10(ERRORS.mean()))
    assert row(EXACT, ERRORS[ERRORS > 0]) is None
    assert row(POOLED, ERRORS[ERRORS > 0]) is None
    assert EXACT.better == POOLED.better == "none"


def test_only_exact_images_are_infinite_without_interval():
    found = row(PSNR, np.zeros(4))
    assert (found.value, found.low, found.high) == (math.inf, None, None)


class Table:
    def __init__(self, values):
        self.values = values

    def numbers(self, name):
        return self.values

    def counted(self, name, unit):
        return None


def test_an_exact_image_moves_neither_mean_nor_error_of_the_rest():
    values = np.array([np.inf, 30.0, 32.0, np.nan, 27.0, np.inf, 35.0])
    sums = next(own_mean("psnr", Table(values), np.ones(7, bool)))
    kept, rest = sums.values[~np.isnan(sums.values)], values[np.isfinite(values)]
    assert len(kept) == 6
    assert kept.mean() == pytest.approx(sums.value) == rest.mean()
    error = np.sqrt(((kept - kept.mean()) ** 2).sum()) / 6
    assert error == pytest.approx(np.sqrt(((rest - rest.mean()) ** 2).sum()) / 4)
    assert np.isinf(sums.own[0])


def test_metrics_beside_the_mean_read_no_column_of_their_own():
    assert replace(EXACT, name="x").columns == PSNR.columns
