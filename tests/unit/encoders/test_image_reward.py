"""ImageReward: BLIP's encoders are transformers', the reward is standardised, prompts are cut at 35 tokens."""

import numpy as np
import pytest
import torch
from transformers import BertTokenizer, BlipTextConfig, BlipVisionConfig, BlipVisionModel
from transformers.models.blip.modeling_blip_text import BlipTextModel

from evalkit.encoders.blip_reward import RewardNet, RewardSize
from evalkit.encoders.features.clip import MEAN, STD
from evalkit.encoders.image_reward import ImageReward
from evalkit.encoders.resize import resized
from evalkit.errors import EvalkitError, WeightsError

SIZE = RewardSize(32, 8, 24, 2, 2, 16, 2, 2, 40, 64)
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "cube", "on", "blue", "sphere", ",", "##s"]
PROMPTS = ["A red cube on a blue sphere", "cubes, cubes", "red " * 60]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("reward")
    torch.manual_seed(0)
    state = {key: 0.3 * torch.randn(value.shape) for key, value in RewardNet(SIZE).state_dict().items()}
    unused = {
        "blip.vision_proj.weight": torch.zeros(8, 24),
        "blip.text_proj.bias": torch.zeros(8),
        "blip.text_encoder.embeddings.position_ids": torch.arange(64)[None],
    }
    torch.save(state | unused, path / "ImageReward.pt")
    (path / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def scorer(folder):
    return ImageReward(folder, torch.device("cpu"), size=SIZE)


def images(n=3):
    return torch.randint(0, 256, (n, 3, 50, 41), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def vision_peer(state):
    peer = BlipVisionModel(
        BlipVisionConfig(
            hidden_size=24,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=32,
            patch_size=8,
            layer_norm_eps=1e-6,
        )
    ).eval()
    names = {"cls_token": "embeddings.class_embedding", "pos_embed": "embeddings.position_embedding"}
    own = {}
    for key, value in state.items():
        name = names.get(key, key).replace("patch_embed.proj", "embeddings.patch_embedding")
        name = name.replace("blocks.", "encoder.layers.").replace("attn.qkv", "self_attn.qkv")
        name = name.replace("attn.proj", "self_attn.projection").replace("norm1", "layer_norm1")
        name = name.replace("norm2", "layer_norm2")
        own["post_layernorm." + key.split(".")[1] if key.startswith("norm.") else name] = value
    peer.load_state_dict(own)
    return peer


def text_peer(state):
    config = BlipTextConfig(
        vocab_size=40,
        hidden_size=16,
        encoder_hidden_size=24,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
        is_decoder=True,  # transformers builds the attention to the image only then; the call below is no decoder's
        layer_norm_eps=1e-12,
        hidden_act="gelu",
    )
    peer = BlipTextModel(config, add_pooling_layer=False).eval()
    missing, extra = peer.load_state_dict(state, strict=False)
    assert not extra
    assert all("position_ids" in key for key in missing)
    return peer


def test_the_reward_is_that_of_transformers_blip_and_the_official_stack(scorer):
    state = scorer.network.state_dict()

    def part(prefix):
        return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}

    x = resized(images(), 32, "clip") / 255
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    words = scorer.words(PROMPTS, padding="max_length", truncation=True, max_length=35, return_tensors="pt")
    with torch.no_grad():
        seen = vision_peer(part("blip.visual_encoder."))(pixel_values=(x - mean) / std).last_hidden_state
        out = text_peer(part("blip.text_encoder."))(
            input_ids=words.input_ids,
            attention_mask=words.attention_mask,
            encoder_hidden_states=seen,
            encoder_attention_mask=torch.ones(seen.shape[:2]),
            is_decoder=False,
        ).last_hidden_state[:, 0]
        for place in (0, 2, 4, 6, 7):
            out = out @ state[f"mlp.layers.{place}.weight"].t() + state[f"mlp.layers.{place}.bias"]
    wanted = (out[:, 0].double().numpy() - 0.16717362830052426) / 1.0333394966054072
    found = scorer.score(images(), PROMPTS)
    assert found == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    assert found.std() > 1e-2


def test_prompts_are_cut_at_35_tokens(scorer):
    longer = [*PROMPTS[:2], PROMPTS[2] + " cube" * 5]
    assert np.array_equal(scorer.score(images(), PROMPTS), scorer.score(images(), longer))


def test_an_images_reward_does_not_depend_on_the_batch(scorer):
    alone = [scorer.score(images()[i : i + 1], PROMPTS[i : i + 1])[0] for i in range(3)]
    assert scorer.score(images(), PROMPTS) == pytest.approx(alone, rel=1e-4)


def test_words_are_those_of_bert(scorer, folder):
    assert isinstance(scorer.words, BertTokenizer)
    assert scorer.words.tokenize("Red CUBES, zebra") == ["red", "cube", "##s", ",", "[UNK]"]


def test_a_folder_without_the_vocabulary_and_unequal_numbers_are_named(scorer, tmp_path):
    (tmp_path / "ImageReward.pt").write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"expected ImageReward.pt and vocab.txt"):
        ImageReward(tmp_path, torch.device("cpu"))
    with pytest.raises(EvalkitError, match="Give one prompt an image"):
        scorer.score(images(), ["a"])
