"""BSQ-ViT: EMA first, big-endian indices, patches that come back in place, batch invariance."""

import pytest
import torch
from helpers.near import same
from helpers.tensors import random_images

from evalkit.errors import EvalkitError, WeightsError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.bsqvit import BsqVit, BsqVitConfig
from evalkit.tokenizers.registry import TOKENIZERS

TINY = BsqVitConfig(5, size=16, patch=4, width=32, layers=2, heads=4, hidden=64)


def official(state):
    wrong = {f"module.{key}": torch.full_like(value, 7.0) for key, value in state.items()}
    return {"ema_state_dict": {f"module.module.{key}": value for key, value in state.items()}, "state_dict": wrong}


@pytest.fixture
def model(tiny):
    return tiny(BsqVit, TINY, weights="bsqvit-b18", wrap=official, suffix=".pt")


def test_channel_0_is_the_highest_digit_and_zero_is_a_zero_bit(model):
    z = torch.tensor([0.5, -1.0, 0.1, 0.0, 2.0])
    model.network.encoder.forward = lambda x: torch.zeros(1, 16, 32)
    model.network.quant_embed.bias = torch.nn.Parameter(z, requires_grad=False)
    assert model.encode(random_images(1)).indices.unique().tolist() == [0b10101]


def test_indices_of_36_bits_are_exact(tiny):
    wide = tiny(BsqVit, BsqVitConfig(36, size=8, patch=4, width=32, layers=1, heads=4, hidden=64), weights="bsqvit-b36")
    x = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    codes = wide.encode(x)
    positive = wide.network.quant_embed(wide.network.encoder(x * 2 - 1)) > 0
    spelled = [[int("".join(str(int(bit)) for bit in row), 2) for row in image] for image in positive]
    assert codes.indices.tolist() == spelled
    assert codes.indices.max() > 2**32
    bits = positive.to(torch.int8)
    same(wide.decode(wide.codes(bits=bits)), wide.decode(codes))


def test_codes_are_corners_of_the_unit_sphere(model):
    seen = []
    handle = model.network.post_quant_embed.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    model.decode(model.encode(random_images()))
    handle.remove()
    torch.testing.assert_close(seen[0].norm(dim=-1), torch.ones(3, 16))


def test_a_patch_is_read_and_written_in_the_same_place_and_order(model):
    encoder, decoder = model.network.encoder, model.network.decoder
    read, x = [], random_images(1)
    encoder.through = lambda tokens: tokens
    encoder.conv1 = torch.nn.Identity()
    read = encoder(x)
    assert torch.equal(read[0, 6], x[0, :, 4:8, 8:12].flatten())  # row 1, column 2 of the 4 x 4 patches
    decoder.through = lambda tokens: tokens
    decoder.ffn = decoder.conv_out = torch.nn.Identity()
    assert torch.equal(decoder(read), x)


def test_ema_weights_come_first_then_the_plain_ones_then_the_bare_file(tiny, model):
    plain = tiny(BsqVit, TINY, weights="bsqvit-b18", wrap=lambda s: {"state_dict": official(s)["state_dict"]})
    assert torch.equal(plain.network.quant_embed.weight, torch.full((5, 32), 7.0))
    no_ema = tiny(BsqVit, TINY, weights="bsqvit-b18", wrap=lambda s: {**official(s), "ema_state_dict": None})
    assert torch.equal(no_ema.network.quant_embed.weight, plain.network.quant_embed.weight)
    bare = tiny(BsqVit, TINY, weights="bsqvit-b18")
    assert torch.equal(model.decode(model.encode(random_images())), bare.decode(bare.encode(random_images())))


@pytest.mark.parametrize("groups", [1, 9])
def test_bit_tables_in_the_file_are_not_needed_and_not_refused(tiny, groups):
    def with_tables(state):
        return {**state, "quantize.basis": torch.zeros(5).long(), "quantize.group_basis": torch.zeros(groups).long()}

    tiny(BsqVit, TINY, weights="bsqvit-b18", wrap=with_tables)


def test_another_number_of_bits_is_refused_with_both_shapes(tiny):
    with pytest.raises(WeightsError, match=r"quant_embed\.bias is \(7,\), \(5,\) expected"):
        tiny(BsqVit, TINY, weights="bsqvit-b18", wrap=lambda state: {**state, "quant_embed.bias": torch.zeros(7)})


@pytest.mark.parametrize(
    "codes",
    [
        Codes(indices=torch.zeros(1, 15, dtype=torch.long)),
        Codes(bits=torch.zeros(1, 16, 6, dtype=torch.int8)),
        Codes(latent=torch.zeros(1, 16)),
    ],
)
def test_codes_of_another_shape_are_refused(model, codes):
    with pytest.raises(EvalkitError, match=r"indices \[B, 16\] or bits \[B, 16, 5\]"):
        model.decode(codes)


@pytest.mark.parametrize(("name", "digest"), [("bsqvit-b18", "c8af67cb0f8d54ff"), ("bsqvit-b36", "5e67ac2a33d2d398")])
def test_full_size_keys_are_the_official_ones(key_digest, name, digest):
    entry = TOKENIZERS.get(name)
    assert key_digest(entry.cls, entry.config) == (307, digest)  # the official class without its two tables
