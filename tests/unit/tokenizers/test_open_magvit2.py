"""Open-MAGVIT2: official names, the moving average wins, bit order, and the laws of every tokenizer."""

import pytest
import torch
from helpers.tensors import random_images

from evalkit.errors import EvalkitError, WeightsError
from evalkit.tokenizers.open_magvit2 import OpenMagvit, OpenMagvitConfig
from evalkit.tokenizers.registry import TOKENIZERS

TINY = OpenMagvitConfig(bits=6, mult=(1, 2, 2), size=16, ch=32, blocks=1)


def lightning(state):
    return {"state_dict": {**state, "loss.discriminator.main.0.weight": torch.ones(2)}, "epoch": 7}


def with_average(state):
    average = {"model_ema." + key.replace(".", ""): value for key, value in state.items()}
    counters = {"model_ema.decay": torch.tensor(0.999), "model_ema.num_updates": torch.tensor(5)}
    return {"state_dict": {**{key: value + 1 for key, value in state.items()}, **average, **counters}}


def load(tiny, wrap=lightning):
    return tiny(OpenMagvit, TINY, weights="imagenet_256_L.ckpt", wrap=wrap, suffix=".ckpt")


def test_the_moving_average_wins_over_plain_weights(tiny):
    plain, average = load(tiny), load(tiny, with_average)
    codes = plain.encode(random_images())
    assert torch.equal(codes.indices, average.encode(random_images()).indices)
    assert torch.equal(plain.decode(codes), average.decode(codes))


def test_channel_zero_is_the_lowest_bit_and_zero_is_off(tiny):
    model = load(tiny)
    x = random_images(1)
    z = model.network.encoder(x * 2 - 1)
    bits = (z > 0).flatten(2)[0]
    expected = [sum(2**k for k in range(6) if bits[k, n]) for n in range(16)]
    assert model.encode(x).indices[0].tolist() == expected
    with torch.no_grad():
        model.network.encoder.conv_out.weight.zero_()
        model.network.encoder.conv_out.bias.zero_()
    assert model.encode(x).indices.unique().tolist() == [0]


def test_bits_and_indices_decode_alike(tiny):
    model = load(tiny)
    indices = torch.arange(16)[None] * 4
    bits = (indices[..., None] >> torch.arange(6)) & 1
    assert torch.equal(model.decode(model.codes(indices=indices)), model.decode(model.codes(bits=bits)))


def test_every_code_changes_the_image_through_the_style_too(tiny):
    model = load(tiny)
    indices = torch.zeros(1, 16, dtype=torch.long)
    other = indices.clone()
    other[0, 0] = 63
    difference = (model.decode(model.codes(indices=indices)) - model.decode(model.codes(indices=other))).abs()
    assert difference[0, :, -1, -1].max() > 1e-4


def test_other_rectangles_work_and_odd_sides_are_refused(tiny):
    model = load(tiny)
    codes = model.encode(torch.rand(1, 3, 8, 24))
    assert codes.grid == (2, 6)
    assert model.decode(codes).shape == (1, 3, 8, 24)
    with pytest.raises(EvalkitError, match="multiples of 4"):
        model.encode(torch.rand(1, 3, 10, 8))


def test_a_missing_weight_is_named(tiny):
    with pytest.raises(WeightsError, match=r"decoder\.adaptive\.0\.gamma\.bias"):
        load(
            tiny, lambda state: {"state_dict": {k: v for k, v in state.items() if k != "decoder.adaptive.0.gamma.bias"}}
        )


@pytest.mark.parametrize(
    ("name", "keys", "digest"),
    [("open-magvit2-256", 339, "13818d1f5f1e88d4"), ("open-magvit2-128", 283, "df920f5f919bc234")],
)
def test_names_and_shapes_are_the_official_ones(key_digest, name, keys, digest):
    assert key_digest(OpenMagvit, TOKENIZERS.get(name).config) == (keys, digest)
