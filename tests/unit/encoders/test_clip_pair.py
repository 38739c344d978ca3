"""CLIP's two towers: transformers' network, both layouts of files, and every published way to the square."""

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

from evalkit.encoders.clip_pair import ClipPair, PairRule, open_clip_layout
from evalkit.encoders.features.clip import MEAN, STD
from evalkit.encoders.resize import resized
from evalkit.errors import EvalkitError, WeightsError

WIDTH, TEXT, EMBED, WORDS = 32, 24, 12, 49408
SIZES = {
    "embed_dim": EMBED,
    "vision_cfg": {"image_size": 24, "layers": 2, "width": WIDTH, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 20, "vocab_size": WORDS, "width": TEXT, "heads": 2, "layers": 2},
}
PROMPTS = ["a red cube on a blue sphere", "Ünïcode & a very long prompt " * 9, ""]


def rule(quick=True, resize="clip"):
    return PairRule("clip-vitb32", "ViT-B-32", quick=quick, resize=resize)


def peer_of(quick):
    torch.manual_seed(3)
    act = "quick_gelu" if quick else "gelu"
    both = {"num_hidden_layers": 2, "hidden_act": act, "projection_dim": EMBED}
    # eos_token_id 2 makes transformers pool at the largest token, as for every CLIP file of that age
    text = CLIPTextConfig(
        vocab_size=WORDS,
        hidden_size=TEXT,
        intermediate_size=4 * TEXT,
        num_attention_heads=2,
        max_position_embeddings=20,
        eos_token_id=2,
        **both,
    )
    vision = CLIPVisionConfig(
        hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_attention_heads=2, image_size=24, patch_size=8, **both
    )
    peer = CLIPModel(
        CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=EMBED)
    ).eval()
    with torch.no_grad():
        for parameter in peer.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape))
    return peer


def images():
    return torch.randint(0, 256, (3, 3, 40, 31), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=[True, False], ids=["quick", "gelu"])
def pair_and_peer(request, tmp_path):
    peer = peer_of(request.param)
    path = tmp_path / "model.safetensors"
    save_file({key: value.contiguous() for key, value in peer.state_dict().items()}, path)
    return ClipPair(rule(request.param), path, torch.device("cpu"), config=SIZES), peer


def test_both_towers_are_those_of_transformers(pair_and_peer):
    pair, peer = pair_and_peer
    x = resized(images(), 24, "clip") / 255
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    tokens = open_clip.tokenizer.SimpleTokenizer(context_length=20)(PROMPTS)
    with torch.no_grad():
        out = peer(input_ids=tokens, attention_mask=torch.ones_like(tokens), pixel_values=(x - mean) / std)
    unit = torch.nn.functional.normalize
    assert torch.allclose(unit(pair.images(images())), out.image_embeds, atol=1e-5)
    assert torch.allclose(unit(pair.texts(PROMPTS)), out.text_embeds, atol=1e-5)
    assert pair.logit_scale == pytest.approx(float(peer.logit_scale.detach()))


def test_a_file_of_open_clip_gives_the_same_also_when_wrapped(pair_and_peer, tmp_path):
    pair, peer = pair_and_peer
    state = {f"module.{key}": value for key, value in open_clip_layout(peer.state_dict()).items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "HPS_v2_compressed.pt")
    other = ClipPair(pair.rule, tmp_path / "HPS_v2_compressed.pt", torch.device("cpu"), config=SIZES)
    assert torch.equal(other.images(images()), pair.images(images()))
    assert torch.equal(other.texts(PROMPTS), pair.texts(PROMPTS))


def test_embeddings_do_not_depend_on_the_batch(pair_and_peer):
    pair, _ = pair_and_peer
    x = images()
    assert torch.allclose(pair.images(x), torch.cat([pair.images(x[i : i + 1]) for i in range(3)]), atol=1e-6)
    assert torch.allclose(pair.texts(PROMPTS), torch.cat([pair.texts([p]) for p in PROMPTS]), atol=1e-6)


def test_a_half_translated_file_names_what_is_missing(tmp_path):
    state = peer_of(True).state_dict()
    del state["vision_model.encoder.layers.0.self_attn.k_proj.weight"]
    save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"visual.transformer.resblocks.0.attn.in_proj_weight"):
        ClipPair(rule(), tmp_path / "model.safetensors", torch.device("cpu"), config=SIZES)


def test_floats_are_refused(pair_and_peer):
    with pytest.raises(EvalkitError, match="takes uint8"):
        pair_and_peer[0].images(torch.zeros(1, 3, 24, 24))
