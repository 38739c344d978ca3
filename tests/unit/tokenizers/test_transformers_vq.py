"""Janus and Emu3: tiny folders written by transformers, and an Emu3 folder with the official names."""

import json
import re
from functools import partial

import pytest
import torch
from helpers.near import same
from helpers.tensors import random_images
from safetensors.torch import load_file, save_file

from evalkit.errors import MissingDependency, WeightsError
from evalkit.tokenizers import transformers_vq
from evalkit.tokenizers.llamagen import LlamaGen, LlamaGenConfig
from evalkit.tokenizers.registry import load_tokenizer

images = partial(random_images, n=2, height=8)

transformers = pytest.importorskip("transformers")

# transformers' names -> official ones, the other way round than evalkit.tokenizers.transformers_vq goes
OFFICIAL = [
    (r"\.middle_block\.", ".mid."),
    (r"\.(down|up)_block\.(down|up)\.", r".\2."),
    (r"\.mid\.attn_norm\.", ".mid.attn_1.norm."),
    (r"\.attn_norms\.(\d+)\.", r".attn.\1.norm."),
    (r"\.(q|k|v)_proj\.", r".\1."),
    (r"\.out_proj\.", ".proj_out."),
]


def scatter(network):
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, value in network.state_dict().items():
        noise = torch.randn(value.shape, generator=generator)
        if name.endswith("num_batches_tracked"):
            state[name] = value
        elif name.endswith("running_var"):
            state[name] = 1 + noise.abs()
        elif value.ndim >= 2:
            state[name] = noise / max(1.0, float(value[0].numel()) ** 0.5)
        else:
            state[name] = 0.05 * noise + (1.0 if name.endswith("weight") else 0.0)
    network.load_state_dict(state)
    return network.eval()


def janus(path):
    config = transformers.JanusVQVAEConfig(
        base_channels=32, channel_multiplier=[1, 2], num_res_blocks=1, num_embeddings=60, num_patches=4
    )
    model = scatter(transformers.JanusVQVAE(config))
    model.save_pretrained(path)
    return model


def emu3(path):
    config = transformers.Emu3VQVAEConfig(
        base_channels=32, channel_multiplier=[1, 2], num_res_blocks=1, attn_resolutions=[1], hidden_size=64,
        codebook_size=60, temporal_downsample_factor=4,
    )  # fmt: skip
    model = scatter(transformers.Emu3VQVAE(config))
    with torch.no_grad():  # codes from among the features, or one code would be the nearest everywhere
        frames = (images(n=4) * 2 - 1).unsqueeze(1).repeat(1, 4, 1, 1, 1)
        z = model.quant_conv(model.encoder(frames).permute(0, 2, 1, 3, 4))
        model.quantize.embedding.weight.copy_(z.transpose(0, 1).flatten(1).t()[:60])
    model.save_pretrained(path)
    return model


@torch.no_grad()
def test_janus_decodes_as_the_library_and_codes_on_the_unit_sphere(tmp_path):
    peer = janus(tmp_path)
    model = load_tokenizer("janus", tmp_path, device="cpu")
    codes = model.encode(images())
    z = peer.quant_conv(peer.encoder(images() * 2 - 1)).permute(0, 2, 3, 1).reshape(-1, 8)
    table = peer.quantize.embedding.weight
    cosine = torch.nn.functional.cosine_similarity(z[:, None], table[None], dim=-1)
    assert torch.equal(codes.indices, cosine.argmax(1).reshape(2, 16))
    same(model.decode(codes), (peer.decode(codes.indices) + 1) / 2)
    assert model.vocab_size == 60
    assert model.tokens_per_image(8, 12) == 24
    assert model.decode(model.encode(images(n=1, height=8, width=12))).shape == (
        1,
        3,
        8,
        12,
    )  # the library decodes squares only


@torch.no_grad()
def test_janus_is_llamagens_network_under_other_names(tmp_path):
    peer = janus(tmp_path)
    config = LlamaGenConfig(mult=(1, 2), codes=60, ch=32, blocks=1)
    state = {"quantize.codebook_used": torch.zeros(65536)}
    for key, value in peer.state_dict().items():
        for place, name in enumerate(("block_1", "attn_1", "block_2")):
            key = key.replace(f".mid.{name}.", f".mid.{place}.")
        key = re.sub(r"^encoder\.down\.(\d+)\.", r"encoder.conv_blocks.\1.", key)
        key = re.sub(r"^decoder\.up\.(\d+)\.", r"decoder.conv_blocks.\1.", key)
        state[re.sub(r"(conv_blocks\.\d+)\.block\.", r"\1.res.", key)] = value
    network = LlamaGen.build(config)
    network.load_state_dict(state)
    twin = LlamaGen("twin", config, network, torch.device("cpu"), torch.float32)
    model = load_tokenizer("janus", tmp_path, device="cpu")
    assert torch.equal(model.encode(images()).indices, twin.encode(images()).indices)
    codes = model.encode(images())
    same(model.decode(codes), twin.decode(codes))


def test_janus_is_found_inside_a_generators_folder(tmp_path):
    peer = janus(tmp_path)
    before = load_tokenizer("janus", tmp_path, device="cpu").encode(images()).indices
    whole = {f"model.vqmodel.{key}": value.contiguous() for key, value in peer.state_dict().items()}
    save_file({**whole, "lm_head.weight": torch.zeros(2, 2)}, tmp_path / "model.safetensors")
    settings = json.loads((tmp_path / "config.json").read_text())
    outer = {"architectures": ["JanusForConditionalGeneration"], "model_type": "janus", "vq_config": settings}
    (tmp_path / "config.json").write_text(json.dumps(outer))
    assert torch.equal(load_tokenizer("janus", tmp_path, device="cpu").encode(images()).indices, before)


@torch.no_grad()
def test_emu3_codes_and_images_are_the_librarys(tmp_path):
    peer = emu3(tmp_path)
    model = load_tokenizer("emu3", tmp_path, device="cpu")
    codes = model.encode(images())
    wanted = torch.stack(peer.encode(images() * 2 - 1, image_sizes=torch.tensor([[8, 8], [8, 8]])).image_tokens)
    assert torch.equal(codes.indices, wanted.flatten(1))
    assert len(codes.indices.unique()) > 2
    assert codes.indices.shape[1] == model.tokens_per_image(8, 8) == 16
    same(model.decode(codes), (peer.decode(wanted) + 1) / 2)
    assert model.vocab_size == 60


def test_emu3_loads_from_a_folder_with_the_official_names(tmp_path):
    emu3(tmp_path)
    model = load_tokenizer("emu3", tmp_path, device="cpu")
    codes = model.encode(images())
    state = {}
    for key, value in load_file(tmp_path / "model.safetensors").items():
        if re.search(r"_proj\.weight$", key):
            value = value[:, :, None, None]
        for pattern, new in OFFICIAL:
            key = re.sub(pattern, new, key)
        state[key] = value.contiguous()
    assert {"encoder.down.1.attn.0.q.weight", "decoder.up.1.attn.0.norm.conv_y.weight"} <= set(state)
    assert "decoder.mid.attn_1.proj_out.bias" in state
    official = tmp_path / "official"
    official.mkdir()
    save_file(state, official / "model.safetensors")
    settings = {"ch": 32, "ch_mult": [1, 2], "z_channels": 4, "num_res_blocks": 1, "attn_resolutions": [1]}
    settings |= {"codebook_size": 60, "double_z": False, "dropout": 0.0, "model_type": "Emu3VisionVQ"}
    settings["architectures"] = ["Emu3VisionVQModel"]
    (official / "config.json").write_text(json.dumps(settings))
    twin = load_tokenizer("emu3", official, device="cpu")
    assert torch.equal(twin.encode(images()).indices, codes.indices)
    assert torch.equal(twin.decode(codes), model.decode(codes))


def test_a_parameter_that_is_missing_is_named(tmp_path):
    janus(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    del state["quant_conv.bias"]
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"missing \(quant_conv\.bias\)"):
        load_tokenizer("janus", tmp_path, device="cpu")
    with pytest.raises(WeightsError, match="holds a JanusVQVAE, Emu3VQVAE or"):
        load_tokenizer("emu3", tmp_path, device="cpu")


def test_a_transformers_without_the_class_says_what_to_install(tmp_path, monkeypatch):
    janus(tmp_path)
    monkeypatch.setattr(transformers_vq.Janus, "library_class", "NoSuchModel")
    with pytest.raises(MissingDependency, match="NoSuchModel"):
        load_tokenizer("janus", tmp_path)
