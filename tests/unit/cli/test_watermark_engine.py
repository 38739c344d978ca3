"""Flags of the verbs that look for a ring's marks: what takes much memory says so before it begins."""

import pytest
from helpers.verbs import call

from evalkit.cli import watermark_engine
from evalkit.cli.watermark_engine import USUAL, memory_of


@pytest.mark.parametrize("verb", ["scan", "audit"])
@pytest.mark.parametrize("pixels", [None, 4096, USUAL, USUAL + 1, 2**31])
def test_pixels_beyond_the_usual_number_say_the_memory_that_they_need(tmp_path, verb, pixels):
    typed = [] if pixels is None else ["--most-pixels", str(pixels)]
    ring, out = str(tmp_path / "none"), str(tmp_path / "out")
    done = call(["watermark", verb, str(tmp_path), "--key-ring", ring, "--out", out, *typed])
    assert done.code == 2  # there is no such ring
    warned = pixels is not None and pixels > USUAL
    assert ("GB of memory" in done.said) is warned
    if warned:
        assert f"{pixels:,} pixels take up to {memory_of(pixels) / 1e9:.1f} GB" in done.said


def test_the_usual_number_of_pixels_is_the_engine_s():
    from evalkit.watermark.service.engine import MOST_PIXELS

    assert watermark_engine.USUAL == MOST_PIXELS
