"""ELM's binary autoencoders: official names and prefix, big-endian codes, Bernoulli bits by seed, batch invariance."""

from functools import partial

import pytest
import torch
from helpers.near import same
from helpers.tensors import random_images

from evalkit.errors import WeightsError
from evalkit.tokenizers.elm import ElmBAE, ElmConfig, ElmResBlock, FlatStack, generator
from evalkit.tokenizers.registry import TOKENIZERS

images = partial(random_images, height=8, width=12)

TINY = ElmConfig(bits=6, mult=(1, 2), ch=32, blocks=1, z=32)


def official(state):
    beside = {"disc.main.0.weight": torch.zeros(3), "perceptual.lin0.model.1.weight": torch.zeros(3)}
    unused = {
        "ae.generator.logsigma.0.weight": torch.zeros(3),
        "ae.encoder.blocks.1.conv_out.weight": torch.zeros(32, 32, 1, 1),
        "ae.encoder.blocks.1.conv_out.bias": torch.zeros(32),
    }
    return {**{f"ae.{key}": value for key, value in state.items()}, **beside, **unused}


@pytest.fixture
def model(tiny):
    return tiny(ElmBAE, TINY, weights="elm-bae-16", wrap=official, suffix=".th")


def test_the_first_channel_is_the_most_significant_bit(model):
    bits = torch.tensor([1, 0, 0, 0, 1, 1]).view(1, 6, 1, 1).bool()
    assert model._pack(bits).indices.tolist() == [[35]]


def test_bits_decode_as_their_indices_do(model):
    codes = model.encode(images())
    bits = (codes.indices[:, :, None] >> torch.arange(5, -1, -1)) & 1
    by_bits = model.decode(model.codes(bits=bits, grid=codes.grid))
    same(by_bits, model.decode(codes))


def test_sampled_bits_depend_on_the_seed_alone(model):
    one = model.encode_sampled(images(), seed=3).indices
    with torch.inference_mode():
        chances = model._chances(images())
    drawn = chances > torch.rand(1, *chances.shape[1:], generator=torch.Generator().manual_seed(3))
    assert torch.equal(one, model._pack(drawn).indices)
    assert torch.equal(one[2:], model.encode_sampled(images()[2:], seed=3).indices)


def test_sampled_bits_follow_their_probabilities(model):
    flat = torch.full((1, 3, 64, 64), 0.4)
    with torch.inference_mode():
        expected = model._chances(flat).mean((0, 2, 3))
    drawn = torch.stack([model.encode_sampled(flat, seed=s).indices for s in range(20)]).flatten()
    share = ((drawn[:, None] >> torch.arange(5, -1, -1)) & 1).float().mean(0)
    assert (share - expected).abs().max() < 0.02  # five standard errors of 20480 draws


def test_files_without_the_prefix_load_too(tiny, model):
    bare = tiny(ElmBAE, TINY, weights="elm-bae-16", suffix=".th")
    assert torch.equal(bare.network.quantize.embed.weight, model.network.quantize.embed.weight)


def test_a_shortcut_that_is_used_must_be_in_the_file(tiny):
    def drop(state):
        return {key: value for key, value in official(state).items() if key != "ae.encoder.blocks.3.conv_out.weight"}

    with pytest.raises(WeightsError, match=r"encoder\.blocks\.3\.conv_out\.weight"):
        tiny(ElmBAE, TINY, weights="elm-bae-16", wrap=drop)


def test_layers_stand_in_the_official_order():
    kinds = [type(layer).__name__ for layer in generator(TINY).blocks]
    assert kinds == [
        *("GroupNorm", "Conv2d", "ElmResBlock", "AttnBlock", "ElmResBlock"),
        *("ElmResBlock", "AttnBlock", "Upsample", "ElmResBlock", "GroupNorm", "Conv2d"),
    ]


def test_networks_have_the_size_of_the_official_files():
    """The released files are 332 MB: this network, unused shortcuts, `logsigma`, discriminator and LPIPS in float32."""
    entry = TOKENIZERS.get("elm-bae-16")
    with torch.device("meta"):
        network = entry.cls.build(entry.config)
    own = sum(p.numel() for p in network.parameters())
    plain = [m.conv1.in_channels for m in network.modules() if isinstance(m, ElmResBlock) and m.conv_out is None]
    shortcuts = sum(width * width + width for width in plain)
    logsigma = 128 * 128 * 9 + 128 + 128 * 3 + 3
    discriminator, lpips = 2_765_633, 14_716_160
    assert 4 * (own + shortcuts + logsigma + discriminator + lpips) / 1e6 == pytest.approx(332, abs=0.5)
    assert isinstance(network.encoder, FlatStack)
