"""Latent diffusion's VQ stages: official names, official wrapping, and diffusers' VQModel as the peer."""

import re

import pytest
import torch
from helpers.near import same

from evalkit.tokenizers.ldm import F4, F8, F8_N256, F16, LdmVq
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.registry import TOKENIZERS
from evalkit.tokenizers.taming import VqganConfig

diffusers = pytest.importorskip("diffusers")

TINY = VqganConfig(TamingConfig(ch=32, mult=(1, 2), blocks=1, z=3), codes=40, code_dim=3)


def lightning(state):
    return {"state_dict": {**state, "loss.discriminator.main.0.weight": torch.ones(2)}, "global_step": 1}


def diffusers_name(key):
    key = re.sub(r"^encoder\.down\.(\d+)\.block\.", r"encoder.down_blocks.\1.resnets.", key)
    key = re.sub(r"^encoder\.down\.(\d+)\.downsample\.", r"encoder.down_blocks.\1.downsamplers.0.", key)
    key = re.sub(r"^decoder\.up\.(\d+)\.block\.", lambda m: f"decoder.up_blocks.{1 - int(m[1])}.resnets.", key)
    key = re.sub(r"^decoder\.up\.(\d+)\.upsample\.", lambda m: f"decoder.up_blocks.{1 - int(m[1])}.upsamplers.0.", key)
    key = re.sub(r"\.mid\.block_(\d)\.", lambda m: f".mid_block.resnets.{int(m[1]) - 1}.", key)
    for old, new in (("norm", "group_norm"), ("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("proj_out", "to_out.0")):
        key = key.replace(f".mid.attn_1.{old}.", f".mid_block.attentions.0.{new}.")
    return key.replace(".nin_shortcut.", ".conv_shortcut.").replace(".norm_out.", ".conv_norm_out.")


@torch.no_grad()
def test_codes_and_images_are_those_of_diffusers(tiny):
    model = tiny(LdmVq, TINY, weights="ldm-vq-f4", wrap=lightning, suffix=".ckpt")
    kinds = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    peer = diffusers.VQModel(block_out_channels=(32, 64), latent_channels=3, num_vq_embeddings=40, **kinds).eval()
    state = {}
    for key, value in model.network.state_dict().items():
        new = diffusers_name(key)
        state[new] = value[:, :, 0, 0] if ".attentions." in new and value.ndim == 4 else value
    peer.load_state_dict(state)
    x = torch.rand(2, 3, 8, 12)
    z = peer.encode(x * 2 - 1).latents
    codes = model.encode(x)
    assert torch.equal(codes.indices, peer.quantize(z)[2][2].reshape(2, -1))
    assert len(codes.indices.unique()) > 2
    same(model.decode(codes), (peer.decode(z).sample + 1) / 2)


@pytest.mark.parametrize(
    ("name", "config", "stride", "size"), [("f4", F4, 4, 8192), ("f8", F8, 8, 16384), ("f8-n256", F8_N256, 8, 256),
                                           ("f16", F16, 16, 16384)],
)  # fmt: skip
def test_sizes_are_those_of_the_official_configurations(name, config, stride, size):
    assert TOKENIZERS.get(f"ldm-vq-{name}").config is config
    assert (config.net.stride, config.codes, config.code_dim) == (stride, size, config.net.z)
    with torch.device("meta"):
        keys = set(LdmVq.build(config).state_dict())
    deepest = len(config.net.mult) - 1
    assert (f"encoder.down.{deepest}.attn.1.q.weight" in keys) == (name != "f4")
    assert (f"decoder.up.{deepest}.attn.2.q.weight" in keys) == (name != "f4")
    assert "encoder.mid.attn_1.q.weight" in keys
