"""Chameleon: official names, its native size, its decoder, and the laws of every tokenizer."""

import torch

from evalkit.tokenizers.cards import tokenizer_cards
from evalkit.tokenizers.chameleon import Chameleon
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.registry import TOKENIZERS
from evalkit.tokenizers.taming import VqganConfig
from evalkit.weights.find import weights_manifest

TINY = VqganConfig(TamingConfig(ch=32, mult=(1, 2), blocks=1, z=16), codes=50, code_dim=12)


def load(tiny):
    def wrap(state):
        return {"state_dict": {**state, "loss.discriminator.weight": torch.ones(2)}, "global_step": 1}

    return tiny(Chameleon, TINY, weights="chameleon-vqgan", wrap=wrap, suffix=".ckpt")


def test_the_nearest_code_is_chosen(tiny):
    model = load(tiny)
    x = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    z = model.network.quant_conv(model.network.encoder(x * 2 - 1)).flatten(2).transpose(1, 2)
    table = model.network.quantize.embedding.weight.expand(2, -1, -1)
    assert torch.equal(model.encode(x).indices, torch.cdist(z, table).argmin(-1))


def test_its_native_side_is_512_and_its_codebook_8192(tiny):
    assert load(tiny).native_size == 512
    assert tokenizer_cards()["chameleon"].native_size == 512
    assert TOKENIZERS.get("chameleon").config.codes == 8192


def test_anole_is_the_same_tokenizer():
    assert TOKENIZERS.canonical("anole") == "chameleon"
    entry = TOKENIZERS.get("chameleon")
    assert weights_manifest()[entry.weights].files == ("vqgan.ckpt",)
    assert tokenizer_cards()["chameleon"].weights == entry.weights


def test_names_and_shapes_are_the_official_ones(key_digest):
    assert key_digest(Chameleon, TOKENIZERS.get("chameleon").config) == (293, "d06a259a8c1d710a")
