"""taming VQGAN, FlexVAR and MAR KL-16: official wrapping and names; their laws are in test_llamagen.py."""

from functools import partial

import pytest
import torch
from helpers.tensors import random_images

from evalkit.errors import WeightsError
from evalkit.tokenizers.flexvar import FlexVar
from evalkit.tokenizers.llamagen import LlamaGenConfig
from evalkit.tokenizers.mar import MarKl16
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.registry import TOKENIZERS
from evalkit.tokenizers.taming import Taming, VqganConfig

images = partial(random_images, n=2, height=32)

NET = TamingConfig(ch=32, mult=(1, 2), blocks=1, z=8, attention=frozenset({1}))
TINY = {
    "taming": (Taming, VqganConfig(NET, codes=40, code_dim=6), "taming-f16-1024", "state_dict"),
    "flexvar": (
        FlexVar,
        LlamaGenConfig(mult=(1, 2), codes=40, code_dim=4, ch=32, blocks=1, z=8),
        "FlexVAE.pth",
        "model",
    ),
    "mar": (MarKl16, TamingConfig(ch=32, mult=(1, 2), blocks=1, z=4, moments=True), "kl16.ckpt", "model"),
}


@pytest.mark.parametrize("family", sorted(TINY))
def test_the_official_wrapping_is_opened_and_what_surrounds_it_is_left(tiny, family):
    cls, config, weights, top = TINY[family]
    bare = tiny(cls, config, weights=weights)
    trained = {"loss.discriminator.main.0.weight": torch.ones(3)} if family != "flexvar" else {}

    def official(state):
        return {top: {**state, **trained}, "epoch": 3, "optimizer_states": [{"state": {0: torch.ones(2)}}]}

    wrapped = tiny(cls, config, weights=weights, wrap=official, suffix=".ckpt")
    codes = bare.encode(images())
    assert torch.equal(codes.values, wrapped.encode(images()).values)
    assert torch.equal(bare.decode(codes), wrapped.decode(codes))
    assert wrapped.weights_sha256 != bare.weights_sha256


@pytest.mark.parametrize("family", sorted(TINY))
def test_keys_that_are_not_known_are_refused(tiny, family):
    cls, config, weights, top = TINY[family]
    with pytest.raises(WeightsError, match=r"not known to it \(teacher\.weight\)"):
        tiny(cls, config, weights=weights, wrap=lambda state: {top: {**state, "teacher.weight": torch.ones(1)}})


def test_the_codebook_is_searched_by_distance(tiny):
    cls, config, weights, _ = TINY["taming"]
    model = tiny(cls, config, weights=weights)
    with torch.no_grad():
        z = model.network.quant_conv(model.network.encoder(images() * 2 - 1)).flatten(2).transpose(1, 2)
        nearest = torch.cdist(z, model.network.quantize.embedding.weight.expand(2, -1, -1)).argmin(-1)
    assert torch.equal(model.encode(images()).indices, nearest)
    assert len(nearest.unique()) > 2


def test_mar_codes_are_the_mean_and_ignore_the_variance(tiny):
    cls, config, weights, top = TINY["mar"]

    def louder(state):  # the second half of the moments is the log-variance
        half = config.z
        state["quant_conv.bias"] = torch.cat([state["quant_conv.bias"][:half], state["quant_conv.bias"][half:] + 9])
        return {top: state}

    plain, loud = tiny(cls, config, weights=weights), tiny(cls, config, weights=weights, wrap=louder)
    latent = plain.encode(images()).latent
    assert latent.shape == (2, 4, 16, 16)
    assert latent.dtype == torch.float32
    assert torch.equal(latent, loud.encode(images()).latent)


def test_flexvar_counts_scale_with_the_image(tiny):
    cls, config, weights, _ = TINY["flexvar"]
    model = tiny(cls, config, weights=weights)
    wide = torch.rand(1, 3, 16, 32)
    codes = model.encode(wide)
    assert codes.grid == (8, 16)
    assert codes.scale_lengths[-1] == 128
    assert codes.indices.shape[1] == sum(codes.scale_lengths) == model.tokens_per_image(16, 32)
    assert model.decode(codes).shape == wide.shape


@pytest.mark.parametrize(
    ("name", "count", "digest"),
    [("taming-f16-1024", 343, "97d60b289a8cdc79"), ("flexvar", 344, "07280278280aea10"),
     ("mar-kl16", 312, "13f59d6bbb924f0d")],
)  # fmt: skip
def test_names_and_shapes_are_the_official_ones(key_digest, name, count, digest):
    entry = TOKENIZERS.get(name)
    assert key_digest(entry.cls, entry.config) == (count, digest)
