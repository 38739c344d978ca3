"""The shared encoder and decoder: sizes, where attention stands, and the fused form of it."""

import pytest
import torch
from helpers.near import near, same

from evalkit.tokenizers.nets.conv import AttnBlock
from evalkit.tokenizers.nets.taming import FusedAttnBlock, TamingConfig, TamingDecoder, TamingEncoder

SMALL = TamingConfig(ch=32, mult=(1, 2, 2), blocks=1, z=6, attention=frozenset({1}))


@torch.no_grad()
@pytest.mark.parametrize("moments", [False, True])
def test_sides_shrink_by_the_stride_and_grow_back(moments):
    config = TamingConfig(ch=32, mult=(1, 2, 2), blocks=1, z=6, moments=moments)
    assert config.stride == 4
    z = TamingEncoder(config)(torch.rand(2, 3, 8, 16))
    assert z.shape == (2, 12 if moments else 6, 2, 4)
    assert TamingDecoder(config)(z[:, :6]).shape == (2, 3, 8, 16)


def test_attention_stands_at_the_levels_that_ask_for_it():
    encoder, decoder = TamingEncoder(SMALL), TamingDecoder(SMALL)
    assert [len(stage.attn) for stage in encoder.down] == [0, 1, 0]
    assert [len(stage.attn) for stage in decoder.up] == [0, 2, 0]
    assert {"mid.attn_1.q.weight", "mid.attn_1.proj_out.bias"} <= set(encoder.state_dict())


def test_without_middle_attention_no_such_parameter_is_there():
    bare = TamingConfig(ch=32, mult=(1, 2), blocks=1, z=4, middle=False)
    for network in (TamingEncoder(bare), TamingDecoder(bare)):
        assert not [key for key in network.state_dict() if "attn" in key]


@torch.no_grad()
def test_fused_attention_is_the_same_function():
    torch.manual_seed(0)
    plain, fused = AttnBlock(32), FusedAttnBlock(32)
    fused.norm, fused.proj_out = plain.norm, plain.proj_out
    fused.qkv.weight.copy_(torch.cat([plain.q.weight, plain.k.weight, plain.v.weight]))
    fused.qkv.bias.copy_(torch.cat([plain.q.bias, plain.k.bias, plain.v.bias]))
    x = torch.randn(2, 32, 3, 5)
    same(fused(x), plain(x))
    assert not near(plain(x), x)


@torch.no_grad()
def test_the_deepest_level_runs_first_in_the_decoder():
    decoder = TamingDecoder(SMALL)
    order = []
    for level, stage in enumerate(decoder.up):
        stage.register_forward_hook(lambda *_, level=level: order.append(level))
    decoder(torch.rand(1, 6, 2, 2))
    assert order == [2, 1, 0]
