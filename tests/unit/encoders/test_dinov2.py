"""DINOv2 features: the network of transformers, dgm-eval's way to 224 px, official names."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.near import near, same
from PIL import Image
from torchvision import transforms
from transformers import Dinov2Config, Dinov2Model

from evalkit.encoders.features.dinov2 import SIZES, DinoFeatures
from evalkit.encoders.features.vit_dinov2 import DinoSize, DinoV2
from evalkit.encoders.registry import encoder_names, load_extractor
from evalkit.errors import EvalkitError, WeightsError
from evalkit.weights.find import weights_manifest

TINY = DinoSize(width=32, layers=2, heads=4, patch=14, positions=4, registers=0, antialias=False, offset=0.1)


def random_state(size):
    generator = torch.Generator().manual_seed(5)
    state = DinoV2(size).state_dict()
    return {key: 0.3 * torch.randn(value.shape, generator=generator) for key, value in state.items()}


def photos(n=3, height=70, width=50):
    return torch.randint(
        0, 256, (n, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(n + height)
    )


@pytest.fixture
def extractor(tmp_path):
    path = tmp_path / "dinov2_vitl14_pretrain.pth"
    torch.save({**random_state(TINY), "mask_token": torch.zeros(1, 32)}, path)
    return DinoFeatures(path, torch.device("cpu"), name="dinov2-vitl14", size=TINY)


def peer_of(state, size, side):
    """transformers' network with the same parameters under its own names."""
    config = Dinov2Config(
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        image_size=side,
        patch_size=size.patch,
        layer_norm_eps=1e-6,
    )
    peer = Dinov2Model(config).eval()
    own = {
        "embeddings.cls_token": state["cls_token"],
        "embeddings.position_embeddings": state["pos_embed"],
        "embeddings.mask_token": torch.zeros(1, size.width),
        "embeddings.patch_embeddings.projection.weight": state["patch_embed.proj.weight"],
        "embeddings.patch_embeddings.projection.bias": state["patch_embed.proj.bias"],
        "layernorm.weight": state["norm.weight"],
        "layernorm.bias": state["norm.bias"],
    }
    names = ("attention.q_proj", "attention.k_proj", "attention.v_proj", "attention.o_proj")
    if "encoder.layer.0.attention.q_proj.weight" not in peer.state_dict():  # before transformers 5
        names = (*(f"attention.attention.{each}" for each in ("query", "key", "value")), "attention.output.dense")
    for i in range(size.layers):
        mine, theirs = f"blocks.{i}.", f"encoder.layer.{i}."
        for part in ("weight", "bias"):
            parts = [*state[f"{mine}attn.qkv.{part}"].chunk(3), state[f"{mine}attn.proj.{part}"]]
            for name, value in zip(names, parts, strict=True):
                own[f"{theirs}{name}.{part}"] = value
            for name in ("norm1", "norm2", "mlp.fc1", "mlp.fc2"):
                own[f"{theirs}{name}.{part}"] = state[f"{mine}{name}.{part}"]
        for number in (1, 2):
            own[f"{theirs}layer_scale{number}.lambda1"] = state[f"{mine}ls{number}.gamma"]
    peer.load_state_dict(own)
    return peer


def test_the_network_is_that_of_transformers():
    size = TINY
    state = random_state(size)
    network = DinoV2(size).eval()
    network.load_state_dict(state)
    x = torch.randn(2, 3, 56, 56, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = peer_of(state, size, 56)(pixel_values=x).last_hidden_state
        same(network(x), wanted)


def test_positions_are_resized_at_the_official_scale():
    network = DinoV2(TINY)
    network.load_state_dict(random_state(TINY))
    table = network.pos_embed[:, 1:].view(1, 4, 4, 32).permute(0, 3, 1, 2)
    wanted = F.interpolate(table, scale_factor=(16.1 / 4, 16.1 / 4), mode="bicubic")  # the repository's w0 + 0.1
    assert torch.equal(network.positions(16), wanted.flatten(2).transpose(1, 2))
    assert network.positions(16).shape == (1, 256, 32)
    exact = F.interpolate(table, size=(16, 16), mode="bicubic").flatten(2).transpose(1, 2)
    assert not near(network.positions(16), exact, 1e-4)


def test_images_reach_the_network_as_dgm_eval_prepares_them(extractor):
    images = photos()
    official = transforms.Compose(
        [
            transforms.Resize((224, 224), transforms.InterpolationMode.BICUBIC),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    wanted = torch.stack([official(Image.fromarray(np.ascontiguousarray(i.permute(1, 2, 0).numpy()))) for i in images])
    assert torch.allclose(extractor.prepared(images), wanted, atol=1e-6)
    other = extractor.prepared(images, resize="bilinear-antialias")
    assert other.shape == wanted.shape
    assert not near(other, wanted, 0.01)


def test_features_are_the_class_token_and_do_not_depend_on_the_batch(extractor):
    images = photos()
    together = extractor.features(images)
    assert together.shape == (3, extractor.dim) == (3, 32)
    assert torch.equal(together, extractor.network(extractor.prepared(images))[:, 0])
    alone = torch.cat([extractor.features(images[i : i + 1]) for i in range(3)])
    same(together, alone)
    assert not near(together[0], together[1], 1e-3)
    with pytest.raises(EvalkitError, match="takes uint8"):
        extractor.features(images.float())


def test_official_files_fit_by_name(tmp_path):
    assert set(SIZES) <= set(encoder_names("features"))
    for name, size in SIZES.items():
        stem = name.replace("-", "_")
        assert weights_manifest()[name].source.endswith(f"{stem}/{stem}_pretrain.pth")
        with torch.device("meta"):
            keys = DinoV2(size).state_dict()
        assert len(keys) == 2 + 2 + 14 * size.layers + 2
        assert keys["pos_embed"].shape == (1, 1370, size.width)
        assert "register_tokens" not in keys
    torch.save({**random_state(TINY), "register_tokens": torch.zeros(1, 4, 32)}, tmp_path / "reg.pth")
    with pytest.raises(WeightsError, match="register_tokens"):
        DinoFeatures(tmp_path / "reg.pth", torch.device("cpu"), name="dinov2-vitl14", size=TINY)


def test_missing_weights_say_where_they_are(monkeypatch, tmp_path):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path))
    monkeypatch.delenv("EVALKIT_WEIGHTS", raising=False)
    with pytest.raises(WeightsError, match=r"dinov2_vitb14_pretrain.pth.*EVALKIT_WEIGHTS"):
        load_extractor("dinov2-vitb14", device="cpu")
