"""TiTok: official names and files, the two-stage reshape, both decoders, and the laws of every tokenizer."""

import pytest
import torch
from helpers.near import near, same
from helpers.tensors import random_images

from evalkit.errors import EvalkitError, WeightsError
from evalkit.tokenizers.nets.maskgit import MaskGitConfig
from evalkit.tokenizers.nets.titok import TiTokConfig, TiTokEncoder, VitSize
from evalkit.tokenizers.registry import TOKENIZERS
from evalkit.tokenizers.titok import TiTok

VIT = VitSize(width=16, layers=2, heads=2)
WIDE = VitSize(width=32, layers=1, heads=4)
PIXEL = MaskGitConfig(z=8, mult=(1, 2), ch=32, blocks=1)
VQ = TiTokConfig(4, VIT, WIDE, codes=32, token_dim=6, size=16, patch=4)
LEGACY = TiTokConfig(4, VIT, VIT, codes=32, token_dim=6, legacy=True, size=16, patch=8, pixel_codes=12, pixel=PIXEL)
VAE = TiTokConfig(4, VIT, WIDE, codes=0, token_dim=6, size=16, patch=4)


@pytest.mark.parametrize("config", [VQ, LEGACY, VAE])
def test_decode_depends_on_the_codes_and_is_repeatable(tiny, config):
    model = tiny(TiTok, config, weights="titok-l32")
    kind = "latent" if config is VAE else "indices"
    given = torch.linspace(-1, 1, 24).view(1, 6, 1, 4) if config is VAE else torch.arange(4)[None]
    codes, flipped = model.codes(**{kind: given}), model.codes(**{kind: given.flip(-1)})
    assert torch.equal(model.decode(codes), model.decode(codes))
    assert not near(model.decode(codes), model.decode(flipped), 1e-3)


@pytest.mark.parametrize("suffix", [".bin", ".safetensors"])
def test_bare_state_dicts_load_from_bin_and_safetensors(tiny, suffix):
    model = tiny(TiTok, VQ, weights="titok-bl64", suffix=suffix)
    assert model.encode(random_images()).indices.shape == (3, 4)
    assert model.vocab_size == 32
    assert model.tokens_per_image(16, 16) == 4
    assert len(model.weights_sha256) == 64


def test_legacy_encoder_reads_the_token_axis_as_channels():
    torch.manual_seed(0)
    legacy, fixed = TiTokEncoder(LEGACY), TiTokEncoder(LEGACY)
    fixed.load_state_dict(legacy.state_dict())
    fixed.config = VQ  # not legacy, same tokens
    seen = []
    legacy.conv_out = torch.nn.Identity()
    fixed.conv_out = torch.nn.Identity()
    latents = torch.randn(4, 16)
    with torch.no_grad():
        seen = [net(random_images(1), latents) for net in (legacy, fixed)]
    assert torch.equal(seen[0].flatten(), seen[1].squeeze(2).transpose(1, 2).flatten())
    assert not torch.equal(seen[0], seen[1])


def test_legacy_decoder_mixes_pixel_codes_by_softmax(tiny):
    model = tiny(TiTok, LEGACY, weights="titok-l32")
    net = model.network
    z = net.quantize.lookup(torch.tensor([[0, 1, 2, 3]]), (1, 4))
    with torch.no_grad():
        logits = net.decoder(z)
        mixed = torch.einsum("bvhw,vd->bdhw", logits.softmax(1), net.pixel_quantize.embedding.weight)
        same(net.to_pixels(z), net.pixel_decoder(mixed))


def test_patches_unfold_in_row_column_channel_order(tiny):
    model = tiny(TiTok, VQ, weights="titok-bl64")
    decoder = model.network.decoder
    decoder.conv_out = torch.nn.Identity()
    flat = {}
    decoder.ffn[0].register_forward_hook(lambda module, given, out: flat.update(y=out))
    with torch.no_grad():
        image = decoder(model.network.quantize.lookup(torch.tensor([[0, 1, 2, 3]]), (1, 4)))
    row, column, channel = 2, 1, 1
    assert image[0, channel, 4 * 3 + row, 4 * 2 + column] == flat["y"][0, (row * 4 + column) * 3 + channel, 3, 2]


def test_vae_gives_the_mode_and_samples_by_seed(tiny):
    model = tiny(TiTok, VAE, weights="titok-bl64-vae")
    mode = model.encode(random_images()).latent
    one = model.encode_sampled(random_images(), seed=3).latent
    mean, logvar = model._posterior(random_images())
    noise = torch.randn(1, 6, 1, 4, generator=torch.Generator().manual_seed(3))
    assert mode.shape == (3, 6, 1, 4)
    assert torch.equal(mode, mean)
    same(one, mean + (logvar / 2).exp() * noise)
    alone = model.encode_sampled(random_images()[2:], seed=3).latent
    same(one[2:], alone)
    assert model.vocab_size is None
    assert model.image_bits(model.encode(random_images())) == [None] * 3


def test_sampling_is_refused_where_there_is_a_codebook(tiny):
    with pytest.raises(EvalkitError, match="call encode"):
        tiny(TiTok, VQ, weights="titok-bl64").encode_sampled(random_images())


def test_wrong_sizes_and_wrong_numbers_of_tokens_are_named(tiny):
    model = tiny(TiTok, VQ, weights="titok-bl64")
    with pytest.raises(EvalkitError, match="16x16"):
        model.encode(torch.rand(1, 3, 32, 32))
    with pytest.raises(EvalkitError, match="decodes 4 tokens per image; 3 given"):
        model.decode(model.codes(indices=torch.zeros(1, 3)))


def test_a_missing_key_is_named(tiny):
    def drop(state):
        state.pop("encoder.ln_pre.weight")
        return state

    with pytest.raises(WeightsError, match=r"encoder\.ln_pre\.weight"):
        tiny(TiTok, VQ, weights="titok-bl64", wrap=drop)


KEYS = {  # from the official classes
    "titok-l32": (692, "d1ac2e2f6fa8ac9d"),
    "titok-b64": (404, "8b0924f96e116eea"),
    "titok-s128": (308, "f3e6fafac43f159e"),
    "titok-bl64": (459, "5726295131561741"),
    "titok-bl128": (459, "e61c7414c72a92ae"),
    "titok-sl256": (411, "c645c1eff14d8b20"),
    "titok-bl128-vae": (458, "6b51d2564296d8c0"),
}


@pytest.mark.parametrize("name", sorted(KEYS))
def test_full_size_keys_are_the_official_ones(key_digest, name):
    entry = TOKENIZERS.get(name)
    assert key_digest(entry.cls, entry.config) == KEYS[name]
