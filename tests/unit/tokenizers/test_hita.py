"""Hita: slots before patches, the window of the decoder, the backbone in a file of its own, official names."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from helpers.near import near, same
from helpers.tensors import random_images

from evalkit.encoders.features.vit_dinov2 import DinoSize, DinoV2
from evalkit.errors import EvalkitError, WeightsError
from evalkit.tokenizers.cards import tokenizer_cards
from evalkit.tokenizers.hita import BACKBONE, Hita
from evalkit.tokenizers.llamagen import LlamaGenConfig
from evalkit.tokenizers.nets.dinov2 import normalised
from evalkit.tokenizers.nets.hita import HitaConfig, grid_positions
from evalkit.tokenizers.nets.hita_layers import LayerSize
from evalkit.tokenizers.registry import TOKENIZERS
from evalkit.weights.find import weights_manifest

images = partial(random_images, height=12)

DINO = DinoSize(width=24, layers=2, heads=3, patch=4, positions=3, registers=2, size=8)
TINY = HitaConfig(
    LlamaGenConfig(mult=(1, 2), codes=64, code_dim=4, ch=32, blocks=1, z=32),
    slots=6,
    slot_dim=5,
    transformer=LayerSize(32, 1, 2, 16),
    shift=2,
    size=12,
    backbone=DINO,
)


def backbone_file(tmp_path, **extra):
    torch.manual_seed(3)
    state = {key: 0.5 * torch.randn(value.shape) for key, value in DinoV2(DINO).state_dict().items()}
    path = tmp_path / BACKBONE
    torch.save({**state, "mask_token": torch.zeros(1, 24), **extra}, path)
    return path


@pytest.fixture
def load(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EVALKIT_WEIGHTS", raising=False)

    def make(wrap=lambda state: {"model": state}, backbone=True):
        model = tiny(Hita, TINY, weights="hita-ultra.pt", wrap=wrap, suffix=".pt")
        if backbone:
            model.load_backbone(backbone_file(tmp_path))
        return model

    return make


def test_both_slots_and_patches_reach_the_image(load):
    model = load(backbone=False)
    indices = torch.arange(42)[None] % 64
    image = model.decode(model.codes(indices=indices))
    for position in (0, 20):
        other = indices.clone()
        other[0, position] = 63
        assert not near(image, model.decode(model.codes(indices=other)))


def test_the_last_patches_are_cut_off_by_the_early_window(load):
    model = load(backbone=False)
    indices = torch.arange(42)[None] % 64
    other = indices.clone()
    other[0, -2:] = 50
    assert torch.equal(model.decode(model.codes(indices=indices)), model.decode(model.codes(indices=other)))


def test_ema_weights_win_and_training_only_keys_are_tolerated(load):
    plain = load()
    extra = {
        "quantize.codebook_used": torch.zeros(4),
        "slot_quantize.codebook_used": torch.zeros(4),
        "decode_transformer.mask_embedding": torch.zeros(1, 1, 32),
        "decode_transformer.norm_vfm.weight": torch.zeros(32),
        "decode_transformer.proj.bias": torch.zeros(9),
        "encode_transformer.backbone.pretrained_encoder.cls_token": torch.zeros(1),
    }
    both = load(lambda state: {"ema": {**state, **extra}, "model": {key: value + 1 for key, value in state.items()}})
    assert torch.equal(plain.encode(images()).indices, both.encode(images()).indices)


def test_without_the_backbone_decode_works_and_encode_says_what_to_get(load):
    model = load(backbone=False)
    assert model.decode(model.codes(indices=torch.zeros(1, 42))).shape == (1, 3, 12, 12)
    with pytest.raises(WeightsError, match=f"can decode, but to encode it needs.*{BACKBONE}.*EVALKIT_WEIGHTS"):
        model.encode(images(n=1))


def test_the_backbone_is_found_in_the_weights_folder(load, tmp_path, monkeypatch):
    given = load()
    found = load(backbone=False)
    monkeypatch.setenv("EVALKIT_WEIGHTS", str(backbone_file(tmp_path).parent))
    assert torch.equal(given.encode(images()).indices, found.encode(images()).indices)


def test_a_given_backbone_that_is_not_there_or_another_model_is_refused(load, tmp_path):
    model = load(backbone=False)
    with pytest.raises(WeightsError, match="is not there"):
        model.load_backbone(tmp_path / "nothing.pth")
    with pytest.raises(WeightsError, match="does not fit the backbone of tiny"):
        model.load_backbone(backbone_file(tmp_path, stranger=torch.zeros(1)))


def test_other_rectangles_work_with_resized_positions(load):
    model = load()
    codes = model.encode(images(n=1, height=8, width=20))
    assert codes.grid == (4, 10)
    assert model.decode(codes).shape == (1, 3, 8, 20)
    with pytest.raises(EvalkitError, match="6 slot codes and then the patch codes of a 6x6 map; 41 codes given"):
        model.decode(model.codes(indices=torch.zeros(1, 41)))


def test_positions_keep_their_table_at_its_own_size_and_vary_smoothly_elsewhere():
    table = torch.arange(9.0).view(1, 9, 1)
    assert DinoV2(DINO).positions(3).shape == (1, 9, 24)
    assert grid_positions(table, 3, 3) is table
    resized = grid_positions(table, 5, 4).view(5, 4)
    assert (resized.diff(dim=0) > 0).all()
    assert (resized.diff(dim=1) > 0).all()


def test_backbone_images_are_normalised_after_an_antialiased_bicubic_resize():
    x = images(n=2, height=8, width=8) * 2 - 1
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    same(normalised(x, 8), ((x + 1) / 2 - mean) / std)
    sharp = F.interpolate(x, size=(12, 12), mode="bicubic", align_corners=True).clamp(-1, 1)
    same(normalised(x, 12), ((sharp + 1) / 2 - mean) / std)
    stripes = torch.tensor([-1.0, 1.0]).repeat(8).expand(1, 3, 16, 16)
    gray = ((torch.zeros(3, 1, 1) + 1) / 2 - mean) / std
    weight = torch.exp(torch.tensor(-0.5 / 0.5**2))  # sigma is a half where the side halves
    swing = (1 - 2 * weight) / (1 + 2 * weight)
    assert (normalised(stripes, 8) - gray).abs().max() <= (swing / std).max() * 1.2


def test_backbone_equals_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    ours = DinoV2(DINO).eval()
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    config = transformers.Dinov2WithRegistersConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=3, patch_size=4, image_size=12, num_register_tokens=2
    )
    theirs = transformers.Dinov2WithRegistersModel(config).eval()
    theirs.load_state_dict({key: value for key, value in renamed(ours).items() if key in theirs.state_dict()})
    x = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        y = theirs(x).last_hidden_state
        same(ours(x), torch.cat([y[:, :1], y[:, 3:]], dim=1))


def renamed(network):
    """Official names to those of transformers, before and since its fifth version."""
    state = network.state_dict()
    out = {
        "embeddings.cls_token": state["cls_token"],
        "embeddings.position_embeddings": state["pos_embed"],
        "embeddings.register_tokens": state["register_tokens"],
        "embeddings.mask_token": torch.zeros(1, 24),
    }
    for kind in ("weight", "bias"):
        out[f"embeddings.patch_embeddings.projection.{kind}"] = state[f"patch_embed.proj.{kind}"]
        out[f"layernorm.{kind}"] = state[f"norm.{kind}"]
        for i in range(2):
            old, new = f"blocks.{i}.", f"encoder.layer.{i}."
            for name in ("norm1", "norm2", "mlp.fc1", "mlp.fc2"):
                out[f"{new}{name}.{kind}"] = state[f"{old}{name}.{kind}"]
            for name, value in zip(["query", "key", "value"], state[f"{old}attn.qkv.{kind}"].chunk(3), strict=True):
                out[f"{new}attention.attention.{name}.{kind}"] = value
                out[f"{new}attention.{name[0]}_proj.{kind}"] = value
            out[f"{new}attention.output.dense.{kind}"] = state[f"{old}attn.proj.{kind}"]
            out[f"{new}attention.o_proj.{kind}"] = state[f"{old}attn.proj.{kind}"]
            for k in (1, 2):
                out[f"{new}layer_scale{k}.lambda1"] = state[f"{old}ls{k}.gamma"]
    return out


@pytest.mark.parametrize("name", ["hita-v", "hita-u"])
def test_names_and_shapes_are_the_official_ones(key_digest, name):
    entry = TOKENIZERS.get(name)
    assert key_digest(Hita, entry.config) == (499, "078b4b34ab5cea95")
    assert tokenizer_cards()[name].weights == entry.weights
    assert "hita-gen" in weights_manifest()[entry.weights].where
    assert tokenizer_cards()[name].tokens == 128 + 21 * 21
