import pytest
import torch

from evalkit.tasks.tokenizer.survival import COLUMNS, agreement, agreement_by_part, survival, through_jpeg
from evalkit.tokenizers.base import Codes, Tokenizer
from evalkit.tokenizers.registry import load_tokenizer


class Blocks(Tokenizer):
    """Codes are the mean grey of each 8 x 8 block in 17 levels: they survive everything that keeps the mean."""

    name, vocab_size = "blocks", 17

    def encode(self, images):
        grey = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 8)
        return Codes(indices=(grey * 16).round().long().flatten(1))

    def decode(self, codes, *, seed=0, noise=None):
        side = codes.map_grid()
        grey = (codes.values.float() / 16).reshape(-1, 1, *side)
        return torch.nn.functional.interpolate(grey, scale_factor=8).expand(-1, 3, -1, -1)

    def tokens_per_image(self, height, width):
        return height * width // 64


def test_robust_codes_survive_and_fragile_ones_do_not():
    x = torch.rand(2, 3, 32, 32)
    model = Blocks()
    codes = model.encode(x)
    for row in survival(model, codes, model.decode(codes)):
        assert row == dict.fromkeys(COLUMNS, 1.0)
    fragile = load_tokenizer("webp-q75")
    codes = fragile.encode(x)
    assert survival(fragile, codes, fragile.decode(codes))[0]["survival_8bit"] < 0.5


def test_continuous_codes_have_no_survival():
    codes = Codes(latent=torch.zeros(2, 1, 2, 2))
    assert survival(Blocks(), codes, torch.zeros(2, 3, 16, 16))[1] == dict.fromkeys(COLUMNS)


def test_agreement_counts_missing_codes_as_different():
    a = Codes(indices=torch.tensor([[1, 2, 3, -1], [1, 2, 3, 4]]))
    b = Codes(indices=torch.tensor([[1, 2], [1, 9]]))
    assert agreement(a, b) == [pytest.approx(2 / 3), 0.25]
    bits = Codes(bits=torch.tensor([[[0, 1], [1, 1]]], dtype=torch.int8))
    other = Codes(bits=torch.tensor([[[0, 1], [1, 0]]], dtype=torch.int8))
    assert agreement(bits, other) == [0.75]


def test_jpeg_keeps_shape_and_changes_pixels():
    images = torch.randint(0, 256, (2, 3, 16, 24), dtype=torch.uint8)
    assert through_jpeg(images).shape == images.shape
    assert not torch.equal(through_jpeg(images), images)


def test_each_scale_and_each_bit_is_counted_by_itself():
    a = Codes(indices=torch.tensor([[5, 1, 2, 3, 4]]), scale_lengths=(1, 4))
    b = Codes(indices=torch.tensor([[5, 1, 2, 0, 0]]), scale_lengths=(1, 4))
    (shares,) = agreement_by_part(a, b)["scale"]
    assert shares.tolist() == [1.0, 0.5]
    assert "bit" not in agreement_by_part(a, b)
    (bits,) = agreement_by_part(a, b, 3)["bit"]  # 3 = 011 and 4 = 100 became 0
    assert bits.tolist() == pytest.approx([0.8, 0.8, 0.8])
    given, found = (torch.zeros(1, 5, 2, dtype=torch.int8) for _ in range(2))
    found[0, 4, 1] = 1
    parts = agreement_by_part(Codes(bits=given, scale_lengths=(1, 4)), Codes(bits=found, scale_lengths=(1, 4)))
    assert parts["scale"][0].tolist() == [1.0, 0.875]
    assert parts["bit"][0].tolist() == [1.0, 0.8]
