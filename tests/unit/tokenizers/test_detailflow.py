"""DetailFlow: official names, the ordered mask, decoding of prefixes, and the laws of every tokenizer."""

import pytest
import torch
from helpers.near import near, same
from helpers.tensors import random_images

from evalkit.errors import EvalkitError, WeightsError
from evalkit.tokenizers.detailflow import DetailFlow
from evalkit.tokenizers.nets.detailflow import DetailFlowConfig, SiglipSize, ToPixel, ordered_mask
from evalkit.tokenizers.registry import TOKENIZERS

TINY = DetailFlowConfig(
    tokens=8,
    group=2,
    codes=16,
    code_dim=4,
    encoder=SiglipSize(16, 2, 2, 24),
    decoder=SiglipSize(12, 2, 3, 20),
    size=16,
    patch=4,
    positions=4,
)


def official(state):
    training = {
        "encoder.refined_tokens": torch.zeros(1, 8, 16),
        "refine_conv.weight": torch.zeros(16, 4),
        "global_token_proj.0.weight": torch.zeros(3, 4),
        "repa_model.blocks.0.weight": torch.zeros(3),
        "quantize.codebook_used": torch.zeros(65536),
    }
    wrong = {key: torch.full_like(value, 7.0) for key, value in state.items()}
    return {"model": {**state, **training}, "ema": wrong, "steps": 3}


@pytest.fixture
def model(tiny):
    return tiny(DetailFlow, TINY, weights="detailflow-16", wrap=official, suffix=".pt")


def test_model_is_chosen_over_ema_as_the_official_loader_does(tiny):
    chosen = tiny(DetailFlow, TINY, weights="detailflow-16", wrap=official, suffix=".pt")
    bare = tiny(DetailFlow, TINY, weights="detailflow-16", suffix=".pt")
    assert torch.equal(chosen.network.quant_conv.weight, bare.network.quant_conv.weight)
    assert chosen.network.quant_conv.weight.max() < 7


def test_mask_lets_tokens_see_patches_earlier_groups_and_their_own_group():
    mask = ordered_mask(2, 6, 2).int().tolist()
    assert mask[0] == mask[1] == [1, 1, 0, 0, 0, 0, 0, 0]
    assert mask[2:] == [
        [1, 1, 1, 0, 0, 0, 0, 0],  # the first group goes token by token
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1],
    ]


def test_later_token_queries_do_not_change_earlier_codes(model):
    with torch.no_grad():
        before = model.network.encoder(random_images() * 2 - 1)
        model.network.encoder.latent_tokens[:, 6:] += torch.linspace(-1, 1, 16)  # norms take out what is alike in all
        after = model.network.encoder(random_images() * 2 - 1)
    same(before[:, :6], after[:, :6])
    assert not near(before[:, 6:], after[:, 6:], 1e-2)


def test_a_prefix_decodes_alone(model):
    codes = model.encode(random_images())
    some = model.decode(model.codes(indices=codes.indices[:, :4]))
    assert some.shape == (3, 3, 16, 16)
    assert not near(some, model.decode(codes))
    assert torch.equal(model.decode_prefix(codes, 4, side=16), some)
    assert torch.equal(model.decode_prefix(codes, 8), model.decode(codes))


def test_a_prefix_decodes_at_the_side_that_holds_its_resolution(model):
    codes = model.encode(random_images())
    sides = [model.decode_prefix(codes, t).shape[-1] for t in (1, 4, 6, 8)]
    assert sides == [4, 12, 16, 16]
    assert [model.resolution(t) for t in (1, 4, 6, 8)] == [1, 9, 13, 16]


def test_resolution_grows_with_the_tokens_of_the_released_models():
    entry = TOKENIZERS.get("detailflow-16")
    with torch.device("meta"):
        model = entry.cls(
            "detailflow-16", entry.config, entry.cls.build(entry.config), torch.device("meta"), torch.float32
        )
    curve = [model.resolution(t) for t in range(1, 129)]
    assert curve == sorted(curve)
    assert (curve[0], curve[63], curve[-1]) == (1, 164, 256)


def test_positions_shrink_by_a_weighted_mean(model):
    body = model.network.decoder.visual_model
    with torch.no_grad():
        body.embeddings.position_embedding.weight.fill_(2.0)
        small = body.position_table(2)
    assert small.shape == (1, 4, 12)
    torch.testing.assert_close(small, torch.full_like(small, 2.0))


def test_pixels_come_in_row_column_channel_order():
    layer = ToPixel(5, 4)
    x = torch.randn(1, 9, 5)
    with torch.no_grad():
        image, flat = layer(x, 3), layer.model(x)
    assert image.shape == (1, 3, 12, 12)
    assert image[0, 2, 4 * 1 + 3, 4 * 2 + 1] == flat[0, 1 * 3 + 2, (3 * 4 + 1) * 3 + 2]


@pytest.mark.parametrize(("tokens", "side", "says"), [(0, None, "1 to 8"), (9, None, "1 to 8"), (4, 6, "steps of 4")])
def test_prefixes_that_do_not_exist_are_named(model, tokens, side, says):
    with pytest.raises(EvalkitError, match=says):
        model.decode_prefix(model.encode(random_images()), tokens, side=side)


def test_more_codes_than_given_are_refused(model):
    short = model.codes(indices=torch.zeros(1, 2))
    with pytest.raises(EvalkitError, match="first 4 codes were asked for; 2 given"):
        model.decode_prefix(short, 4)


def test_another_file_is_refused(tiny):
    with pytest.raises(WeightsError, match="missing"):
        tiny(DetailFlow, TINY, weights="detailflow-16", wrap=lambda state: {"model": {"a.weight": torch.zeros(1)}})


def test_full_size_keys_are_the_official_ones_without_those_of_training(key_digest):
    entry = TOKENIZERS.get("detailflow-16")
    assert key_digest(entry.cls, entry.config) == (403, "d8fdd6bf81de910f")
