import pytest

from evalkit.metrics.base import Estimate
from evalkit.metrics.registry import METRICS
from evalkit.protocols import load_protocol
from evalkit.tasks.tokenizer.numbers import measured


@pytest.mark.parametrize(
    ("metric", "bounds", "stated"),
    [
        ("ssim", (0.9, 1.04), (0.9, 1.0)),
        ("cer_truth", (-0.1, 1.4), (0.0, 1.4)),
        ("psnr", (20.0, 31.0), (20.0, 31.0)),
        ("face_recall", (None, None), (None, None)),
    ],
)
def test_bounds_lie_in_the_range_of_the_metric(metric, bounds, stated):
    row = measured(
        "reconstruction", "sample", METRICS.get(metric), Estimate(0.95, *bounds, 5, "t"), load_protocol("evalkit-1")
    )
    assert (row.low, row.high) == stated


def test_an_undefined_value_is_unavailable_with_its_reason():
    row = measured(
        "text",
        "sample",
        METRICS.get("ned_truth"),
        Estimate(float("nan"), None, None, 0, "nothing to measure"),
        load_protocol("evalkit-1"),
    )
    assert (row.status, row.reason, row.value) == ("unavailable", "nothing to measure", None)
