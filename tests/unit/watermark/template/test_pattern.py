"""The pattern of a key, and what it costs an image."""

import numpy as np
import pytest

from evalkit.images import open_images
from evalkit.metrics.psnr import mse, psnr
from evalkit.watermark.embed.patterned import has_room, patterned
from evalkit.watermark.keys import Key
from evalkit.watermark.template.pattern import BAND, SIDE, WAVES, pattern

ONE, OTHER = Key(bytes(range(32))), Key(bytes(range(1, 33)))


def test_keys_have_patterns_of_their_own_within_the_band():
    spectrum = np.abs(np.fft.rfft2(pattern(ONE)))[:, 1:]  # a wave that only goes down stands there twice
    down, right = np.nonzero(spectrum > 1e-3 * spectrum.max())
    radius = np.hypot((down + SIDE // 2) % SIDE - SIDE // 2, right + 1)
    assert WAVES - 3 <= len(radius) <= WAVES
    assert BAND[0] <= radius.min()
    assert radius.max() <= BAND[1]
    assert pattern(ONE).std() == pytest.approx(1, rel=1e-5)
    assert abs((pattern(ONE) * pattern(OTHER)).mean()) < 0.1


@pytest.mark.parametrize("level", [45.0, 52.0])
def test_a_pattern_costs_what_it_may_in_an_image_of_any_size(level):
    photo = next(each.image for each in open_images("sample/photos").read(0, 9) if "cat" in each.id)
    assert has_room(photo)
    made = patterned(photo, ONE, 10 ** (-level / 20))
    assert made.shape == photo.shape
    assert psnr(mse(made, photo)) == pytest.approx(level, abs=0.7)  # rounding to 8 bits adds its own
    assert not has_room(photo[:100])
