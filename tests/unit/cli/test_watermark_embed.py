"""What `evalkit watermark embed` says of images that are marked."""

from types import SimpleNamespace

import pyarrow as pa
import pytest

from evalkit.cli.watermark_embed import _forecast


@pytest.mark.parametrize(
    ("logs", "by", "said"),
    [
        ([-4.0, -9.0, None], "pixels", "found as they are, by a p of at most 0.001: 2 of 2"),
        ([-2.9, -9.0], "pixels", "1 of 2; more are with --psnr 37"),
        ([-2.9, -9.0], "codes", "found as they are, by a p of at most 0.001: 1 of 2"),
    ],
)
def test_the_command_forecasts_how_many_images_are_found_and_what_finds_more(logs, by, said):
    embedding = {"by": by, "psnr": 40.0}
    samples = pa.table({"log10_p": pa.array(logs, pa.float64())})
    run = SimpleNamespace(samples=samples, record={"plan": {"parameters": {"embedding": embedding}}})
    assert said in _forecast(run)
    assert ("--psnr" in _forecast(run)) == ("--psnr" in said)
