"""GigaTok: official names and wrapping, the order of queries, and the laws of every tokenizer."""

from functools import partial

import pytest
import torch
from helpers.near import same
from helpers.tensors import random_images

from evalkit.errors import WeightsError
from evalkit.tokenizers.cards import tokenizer_cards
from evalkit.tokenizers.gigatok import GigaTok, GigaTokConfig, QFormerSize
from evalkit.tokenizers.nets.qformer import QFormerLayer, coarse_to_fine_queries
from evalkit.tokenizers.registry import TOKENIZERS

images = partial(random_images, height=8)

TINY = GigaTokConfig(
    QFormerSize(16, 2, 2), QFormerSize(24, 1, 3), codes=64, tokens=16, size=8, mult=(1, 2), ch=32, blocks=1, z=32
)


def load(tiny, wrap=lambda state: {"model": state}, **more):
    return tiny(GigaTok, TINY, weights="VQ_SS256_e100.pt", wrap=wrap, **more)


def test_ema_weights_win_over_plain_ones(tiny):
    plain = load(tiny)
    both = load(tiny, wrap=lambda state: {"model": {k: v + 1 for k, v in state.items()}, "ema": state})
    only_state_dict = load(tiny, wrap=lambda state: {"state_dict": state, "epoch": 3})
    codes = plain.encode(images())
    for other in (both, only_state_dict):
        assert torch.equal(codes.indices, other.encode(images()).indices)
        assert torch.equal(plain.decode(codes), other.decode(codes))


def test_training_only_keys_are_tolerated_and_foreign_ones_are_not(tiny):
    extra = {"s1to2decoder.distill_mlp.0.weight": torch.zeros(4, 4), "quantize.codebook_used": torch.zeros(65536)}
    model = load(tiny, wrap=lambda state: {"ema": {**state, **extra}})
    assert model.vocab_size == 64
    with pytest.raises(WeightsError, match=r"1 are not known to it \(encoder\.quant"):
        load(tiny, wrap=lambda state: {"ema": {**state, "encoder.quant": torch.zeros(1)}})
    with pytest.raises(WeightsError, match=r"global_proj\.bias"):
        load(tiny, wrap=lambda state: {"ema": {k: v for k, v in state.items() if k != "s2to1encoder.global_proj.bias"}})


@pytest.mark.parametrize(
    ("name", "keys", "digest"),
    [
        ("gigatok-ss", 531, "dba3140e19188afb"),
        ("gigatok-sb", 639, "5e2701b1d1fdf727"),
        ("gigatok-bl", 963, "23a183464c0dfac3"),
        ("gigatok-bl-dino", 963, "23a183464c0dfac3"),
        ("gigatok-xlxxl", 1827, "ce781b6490b0cb35"),
    ],
)
def test_names_and_shapes_are_the_official_ones(key_digest, name, keys, digest):
    assert key_digest(GigaTok, TOKENIZERS.get(name).config) == (keys, digest)


def test_gigatok_alone_means_the_b_l_checkpoint():
    assert TOKENIZERS.canonical("gigatok") == "gigatok-bl"
    assert "gigatok" in tokenizer_cards()["gigatok-bl"].aliases


def test_queries_are_block_means_from_coarse_to_fine():
    grid = torch.arange(16.0).view(1, 1, 4, 4)
    queries = coarse_to_fine_queries(grid, 16)[0, :, 0]
    mean = grid.mean()
    assert queries[:2].tolist() == [mean, mean]
    assert queries[2:4].tolist() == [grid[..., :2].mean(), grid[..., 2:].mean()]
    quarters = [grid[..., i : i + 2, j : j + 2].mean() for i in (0, 2) for j in (0, 2)]
    assert queries[4:8].tolist() == quarters
    assert queries[8:].tolist() == [grid[..., i : i + 2, j].mean() for i in (0, 2) for j in range(4)]


def test_a_layer_equals_torchs_attention():
    torch.manual_seed(0)
    layer = QFormerLayer(16, 2).eval()
    x, memory, here, there = (torch.randn(2, n, 16) for n in (3, 5, 3, 5))
    reference = {}
    for name in ("self_attn", "multihead_attn"):
        reference[name] = torch.nn.MultiheadAttention(16, 2, batch_first=True)
        reference[name].load_state_dict(getattr(layer, name).state_dict())
    with torch.no_grad():
        y = layer.norm1(x)
        h = x + reference["self_attn"](y + here, y + here, y)[0]
        h = h + reference["multihead_attn"](layer.norm2(h) + here, memory + there, memory)[0]
        h = h + layer.linear2(torch.nn.functional.gelu(layer.linear1(layer.norm3(h))))
        same(layer(x, memory, here, there), h)
