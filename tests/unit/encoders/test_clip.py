"""CLIP features: the network of transformers, CMMD's and CLIP-FID's ways to the square, open_clip's names."""

import numpy as np
import open_clip
import pytest
import torch
from helpers.near import near, same
from PIL import Image
from safetensors.torch import save_file
from torchvision import transforms
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from evalkit.encoders.features.clip import MEAN, RULES, STD, ClipFeatures, ClipRule
from evalkit.errors import WeightsError

WIDTH, HEADS, LAYERS, PATCH, EMBED = 32, 2, 2, 8, 12
CMMD, CLIP_FID = RULES["clip-vitl14"], RULES["clip-vitb32"]


def config_of(side=24):
    vision = {"image_size": side, "layers": LAYERS, "width": WIDTH, "head_width": WIDTH // HEADS, "patch_size": PATCH}
    text = {"context_length": 5, "vocab_size": 11, "width": 16, "heads": 2, "layers": 1}
    return {"embed_dim": EMBED, "vision_cfg": vision, "text_cfg": text}


@pytest.fixture
def load(tmp_path):
    def make(rule, side=24):
        torch.manual_seed(2)
        config = config_of(side)
        whole = open_clip.CLIP(EMBED, config["vision_cfg"], config["text_cfg"])
        state = {key: 0.2 * torch.randn(value.shape) for key, value in whole.state_dict().items()}
        path = tmp_path / "open_clip_model.safetensors"
        save_file(state, path)
        name = next(key for key, each in RULES.items() if each == rule)
        return ClipFeatures(path, torch.device("cpu"), name=name, rule=rule, config=config), state

    return make


def photos(n=3, height=40, width=31):
    return torch.randint(
        0, 256, (n, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(n + height)
    )


def peer_of(state, side):
    """transformers' image tower with the same parameters under its own names."""
    config = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        projection_dim=EMBED,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        image_size=side,
        patch_size=PATCH,
        hidden_act="quick_gelu",
    )
    peer = CLIPVisionModelWithProjection(config).eval()
    own = {
        "vision_model.embeddings.class_embedding": state["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": state["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": state["visual.positional_embedding"],
        "visual_projection.weight": state["visual.proj"].t(),
    }
    for part in ("weight", "bias"):
        own[f"vision_model.pre_layrnorm.{part}"] = state[f"visual.ln_pre.{part}"]
        own[f"vision_model.post_layernorm.{part}"] = state[f"visual.ln_post.{part}"]
        for i in range(LAYERS):
            mine, theirs = f"visual.transformer.resblocks.{i}.", f"vision_model.encoder.layers.{i}."
            for number, name in enumerate(("q_proj", "k_proj", "v_proj")):
                own[f"{theirs}self_attn.{name}.{part}"] = state[f"{mine}attn.in_proj_{part}"].chunk(3)[number]
            for a, b in (
                ("self_attn.out_proj", "attn.out_proj"),
                ("layer_norm1", "ln_1"),
                ("layer_norm2", "ln_2"),
                ("mlp.fc1", "mlp.c_fc"),
                ("mlp.fc2", "mlp.c_proj"),
            ):
                own[f"{theirs}{a}.{part}"] = state[f"{mine}{b}.{part}"]
    missing, extra = peer.load_state_dict(own, strict=False)
    assert not extra
    assert all("position_ids" in key for key in missing)
    return peer


def test_clip_vitl14_is_cmmds_embedding(load):
    extractor, state = load(CMMD)
    images = photos()
    resized = torch.nn.functional.interpolate(images.float() / 255, size=(24, 24), mode="bicubic")
    processor = CLIPImageProcessor(image_mean=list(MEAN), image_std=list(STD))
    inputs = processor(
        images=list(resized.permute(0, 2, 3, 1).numpy()),
        do_resize=False,
        do_center_crop=False,
        do_rescale=False,
        do_normalize=True,
        return_tensors="pt",
    )
    with torch.no_grad():
        wanted = peer_of(state, 24)(**inputs).image_embeds
    wanted = wanted / wanted.norm(dim=1, keepdim=True)
    got = extractor.features(images)
    assert got.shape == (3, EMBED)
    same(got, wanted)
    assert torch.allclose(got.norm(dim=1), torch.ones(3), atol=1e-5)


def test_clip_vitb32_is_clip_fids_embedding(load):
    extractor, state = load(CLIP_FID)
    images = photos(2, 40, 60)
    official = transforms.Compose(
        [
            transforms.Resize(24, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(24),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    x = torch.stack([official(Image.fromarray(np.ascontiguousarray(i.permute(1, 2, 0).numpy()))) for i in images])
    assert torch.allclose(extractor.prepared(images), x, atol=1e-6)
    with torch.no_grad():
        wanted = peer_of(state, 24)(pixel_values=x).image_embeds
    same(extractor.features(images), wanted)


@pytest.mark.parametrize("rule", [CMMD, CLIP_FID])
def test_features_do_not_depend_on_the_batch(load, rule):
    extractor, _ = load(rule)
    images = photos()
    alone = torch.cat([extractor.features(images[i : i + 1]) for i in range(3)])
    same(extractor.features(images), alone)
    other = extractor.features(images, resize="bilinear-antialias")
    assert not near(other, alone, 1e-4)


def test_files_in_another_layout_are_named(load, tmp_path):
    load(CMMD)
    torch.save({"vision_model.embeddings.class_embedding": torch.zeros(WIDTH)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="open_clip's layout"):
        ClipFeatures(tmp_path / "other.pt", torch.device("cpu"), name="clip-vitl14", rule=CMMD, config=config_of())
    with pytest.raises(WeightsError, match="does not fit clip-vitl14"):
        ClipFeatures(
            tmp_path / "open_clip_model.safetensors",
            torch.device("cpu"),
            name="clip-vitl14",
            rule=ClipRule("ViT-L-14-336", plain=True, unit=True),
            config=config_of(side=32),
        )


def test_without_a_configuration_the_official_size_is_expected(load, tmp_path):
    load(CMMD)
    with pytest.raises(WeightsError, match=r"class_embedding is \(32,\), \(768,\) expected"):
        ClipFeatures(tmp_path / "open_clip_model.safetensors", torch.device("cpu"), name="clip-vitb32", rule=CLIP_FID)


def test_the_official_sizes_are_those_of_open_clip():
    large, base = (open_clip.get_model_config(rule.model) for rule in (CMMD, CLIP_FID))
    assert (large["embed_dim"], large["vision_cfg"]["image_size"], large["vision_cfg"]["patch_size"]) == (768, 336, 14)
    assert (base["embed_dim"], base["vision_cfg"]["image_size"], base["vision_cfg"]["patch_size"]) == (512, 224, 32)
