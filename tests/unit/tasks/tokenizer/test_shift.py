import math

import pytest
import torch

from evalkit.tasks.tokenizer.shift import has_grid, moved_by, shift
from evalkit.tokenizers.base import Codes, Tokenizer
from evalkit.tokenizers.registry import load_tokenizer


class Means(Tokenizer):
    """The mean of each 8 x 8 cell, in 256 steps: moves along with whole cells, not with parts of them."""

    name, vocab_size, multiple = "means", 256, 8

    def encode(self, images):
        grey = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 8)
        return Codes(indices=(grey * 255).round().long().flatten(1))

    def decode(self, codes, *, seed=0, noise=None):
        grey = (codes.values.float() / 255).reshape(-1, 1, *codes.map_grid())
        return torch.nn.functional.interpolate(grey, scale_factor=8).expand(-1, 3, -1, -1)

    def tokens_per_image(self, height, width):
        return (height // 8) * (width // 8)


def shifted(model, x):
    codes = model.encode(x)
    return shift(model, x, codes, model.decode(codes), 0)


def test_codes_of_cells_move_along_and_their_pixels_do_not():
    x = torch.rand(2, 3, 32, 32).repeat_interleave(2, 2).repeat_interleave(2, 3)
    for row in shifted(Means(), x):
        assert row["shift_codes"] == 1.0
        assert 5 < row["shift_psnr"] < 40


def test_a_flat_image_is_perfectly_consistent():
    (row,) = shifted(Means(), torch.full((1, 3, 32, 32), 0.5))
    assert math.isinf(row["shift_psnr"])


def test_a_codec_has_no_grid_of_codes():
    model = load_tokenizer("jpeg-q75")
    (row,) = shifted(model, torch.rand(1, 3, 64, 64))
    assert row["shift_codes"] is None
    assert row["shift_psnr"] > 10


def test_multi_scale_and_continuous_codes_have_no_grid():
    model = Means()
    assert has_grid(model, Codes(indices=torch.zeros(1, 16).long()), 32, 32)
    assert not has_grid(model, Codes(indices=torch.zeros(1, 16).long(), scale_lengths=(4, 12)), 32, 32)
    assert not has_grid(model, Codes(latent=torch.zeros(1, 1, 4, 4)), 32, 32)


def test_the_gap_is_mirrored():
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    moved = moved_by(x, 1)
    assert moved.shape == x.shape
    assert torch.equal(moved[0, 0, 1:, 1:], x[0, 0, :2, :2])
    assert moved[0, 0, 0, 1] == pytest.approx(3.0)
