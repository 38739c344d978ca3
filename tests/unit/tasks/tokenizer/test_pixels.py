import numpy as np
import pytest
import torch

from evalkit.errors import EvalkitError
from evalkit.protocols import load_protocol
from evalkit.tasks.tokenizer.pixels import feed_of, model_input, scored_original, scored_reconstructions
from evalkit.tasks.tokenizer.upload import to_batch
from evalkit.tokenizers.base import Codes, Tokenizer

RAMP = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(256, axis=0)


class Signed(Tokenizer):
    """A model on [-1, 1] that returns what it is given."""

    value_range = (-1.0, 1.0)
    multiple = 16

    def __init__(self, name="signed"):
        self.name = name

    def tokens_per_image(self, height, width):
        return 1

    def encode(self, images):
        return Codes(latent=images)

    def decode(self, codes, *, seed=0, noise=None):
        return codes.values


def back(feed, image):
    return scored_reconstructions(to_batch([image], feed), feed)[0]


def test_the_default_protocol_returns_every_grey_level():
    feed = feed_of(load_protocol("evalkit-1"), Signed())
    assert np.array_equal(scored_original(RAMP, feed), RAMP)
    assert np.array_equal(back(feed, RAMP), RAMP)


def test_llamagens_rounding_is_exact_on_the_byte_grid():
    feed = feed_of(load_protocol("llamagen-2024"), Signed())
    assert np.array_equal(back(feed, RAMP), RAMP)


def test_vtbench_loses_95_grey_levels_of_the_original_on_signed_models():
    feed = feed_of(load_protocol("vtbench-2025"), Signed())
    scored = scored_original(RAMP, feed)
    lost = (RAMP[0, :, 0].astype(int) - scored[0, :, 0]).tolist()
    assert sum(lost) == lost.count(1) == 95
    assert back(feed, RAMP).shape == (256, 256, 3)


def test_vtbench_feeds_var_the_wrong_range_and_reads_it_back_wrongly():
    feed = feed_of(load_protocol("vtbench-2025"), Signed("var"))
    assert feed.misfed
    batch = to_batch([RAMP], feed)
    assert torch.allclose(batch * 2 - 1, torch.from_numpy(RAMP).permute(2, 0, 1)[None] / 255, atol=1e-6)
    assert np.array_equal(scored_original(RAMP, feed), RAMP)
    assert np.abs(back(feed, RAMP).astype(int) - RAMP).max() <= 1


def test_vtbench_scores_at_256_px_and_sizes_llamagen_at_512():
    feed = feed_of(load_protocol("vtbench-2025"), Signed("llamagen-vq16"))
    assert feed.size == 512
    fed = model_input(np.zeros((600, 700, 3), np.uint8), feed)
    assert fed.shape == (512, 512, 3)
    assert scored_original(fed, feed).shape == (256, 256, 3)


def test_out_of_range_images_are_clamped_by_every_rule():
    wild = torch.tensor([-3.0, 7.0]).reshape(1, 1, 1, 2).expand(1, 3, 16, 2)
    for id in ("evalkit-1", "llamagen-2024"):
        shown = scored_reconstructions(wild, feed_of(load_protocol(id), Signed()))[0]
        assert shown[0, 0].tolist() == [0, 0, 0]
        assert shown[0, 1].tolist() == [255, 255, 255]


def test_sizes_a_model_cannot_take_are_refused():
    with pytest.raises(EvalkitError, match="multiples of 16"):
        feed_of(load_protocol("evalkit-1"), Signed(), 100)
