"""The CLIP-style block equals torch's own attention module under the same parameter names."""

import torch
from helpers.near import near, same
from torch import nn

from evalkit.tokenizers.nets.vit import ClipBlock, PackedAttention


def test_packed_attention_equals_torch_multihead_attention_with_its_state_dict():
    torch.manual_seed(0)
    peer = nn.MultiheadAttention(24, 4, batch_first=True).eval()
    own = PackedAttention(24, 4)
    own.load_state_dict(peer.state_dict())
    x = torch.randn(2, 7, 24)
    with torch.no_grad():
        same(own(x), peer(x, x, x, need_weights=False)[0])


def test_masked_positions_do_not_matter():
    torch.manual_seed(0)
    attention = PackedAttention(16, 2)
    x = torch.randn(1, 5, 16)
    mask = torch.ones(5, 5).tril().bool()
    changed = x.clone()
    changed[:, 3:] += 1.0
    with torch.no_grad():
        a, b = attention(x, mask), attention(changed, mask)
    same(a[:, :3], b[:, :3])
    assert not near(a[:, 3:], b[:, 3:])


def test_block_is_the_residual_sum_of_its_two_branches():
    torch.manual_seed(0)
    block = ClipBlock(16, 2)
    x = torch.randn(2, 4, 16)
    with torch.no_grad():
        y = x + block.attn(block.ln_1(x))
        y = y + block.mlp.c_proj(nn.functional.gelu(block.mlp.c_fc(block.ln_2(y))))
        same(block(x), y)


def test_block_has_the_clip_names():
    linear = {
        f"{part}.{kind}"
        for part in ("ln_1", "ln_2", "attn.out_proj", "mlp.c_fc", "mlp.c_proj")
        for kind in ("weight", "bias")
    }
    assert set(ClipBlock(8, 2).state_dict()) == linear | {"attn.in_proj_weight", "attn.in_proj_bias"}
