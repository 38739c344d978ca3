"""An mmdet checkpoint gives the network that it was: every parameter finds its place, and patch merging its order."""

import re

import pytest
import torch
from torch import nn

from evalkit.encoders.detectors.mmdet import _by_pixel, converted, network_of
from evalkit.errors import WeightsError

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def network(tiny_mask2former):
    return transformers.Mask2FormerForUniversalSegmentation.from_pretrained(tiny_mask2former).eval()


PLACES = {  # transformers' words in mmdet's, for the parts that are named alike in both
    r"model\.pixel_level_module\.encoder\.swin\.embeddings\.patch_embeddings": "backbone.patch_embed",
    r"model\.pixel_level_module\.encoder\.swin\.embeddings": "backbone.patch_embed",
    r"model\.pixel_level_module\.encoder\.swin\.encoder\.layers": "backbone.stages",
    r"model\.pixel_level_module\.encoder\.hidden_states_norms\.stage1": "backbone.norm0",
    r"model\.pixel_level_module\.encoder\.hidden_states_norms\.stage2": "backbone.norm1",
    r"model\.pixel_level_module\.encoder\.hidden_states_norms\.stage3": "backbone.norm2",
    r"model\.pixel_level_module\.encoder\.hidden_states_norms\.stage4": "backbone.norm3",
    r"layernorm_before": "norm1",
    r"layernorm_after": "norm2",
    r"attention\.relative_position_bias\.": "attn.w_msa.",
    r"attention\.o_proj": "attn.w_msa.proj",
    r"mlp\.fc1": "ffn.layers.0.0",
    r"mlp\.fc2": "ffn.layers.1",
    r"model\.pixel_level_module\.decoder\.level_embed": "panoptic_head.pixel_decoder.level_encoding.weight",
    r"model\.pixel_level_module\.decoder\.mask_projection": "panoptic_head.pixel_decoder.mask_feature",
    r"model\.pixel_level_module\.decoder\.adapter_1\.0": "panoptic_head.pixel_decoder.lateral_convs.0.conv",
    r"model\.pixel_level_module\.decoder\.adapter_1\.1": "panoptic_head.pixel_decoder.lateral_convs.0.gn",
    r"model\.pixel_level_module\.decoder\.layer_1\.0": "panoptic_head.pixel_decoder.output_convs.0.conv",
    r"model\.pixel_level_module\.decoder\.layer_1\.1": "panoptic_head.pixel_decoder.output_convs.0.gn",
    r"model\.pixel_level_module\.decoder\.input_projections\.(\d)\.0": r"panoptic_head.pixel_decoder.input_convs.\1.conv",
    r"model\.pixel_level_module\.decoder\.input_projections\.(\d)\.1": r"panoptic_head.pixel_decoder.input_convs.\1.gn",
    r"model\.pixel_level_module\.decoder": "panoptic_head.pixel_decoder",
    r"(pixel_decoder\.encoder\.layers\.\d)\.self_attn_layer_norm": r"\1.norms.0",
    r"(pixel_decoder\.encoder\.layers\.\d)\.final_layer_norm": r"\1.norms.1",
    r"(pixel_decoder\.encoder\.layers\.\d)\.self_attn": r"\1.attentions.0",
    r"model\.transformer_module\.queries_embedder": "panoptic_head.query_embed",
    r"model\.transformer_module\.queries_features": "panoptic_head.query_feat",
    r"model\.transformer_module\.level_embed": "panoptic_head.level_embed",
    r"model\.transformer_module\.decoder\.mask_predictor\.mask_embedder\.0\.0": "panoptic_head.mask_embed.0",
    r"model\.transformer_module\.decoder\.mask_predictor\.mask_embedder\.1\.0": "panoptic_head.mask_embed.2",
    r"model\.transformer_module\.decoder\.mask_predictor\.mask_embedder\.2\.0": "panoptic_head.mask_embed.4",
    r"model\.transformer_module\.decoder\.layernorm": "panoptic_head.transformer_decoder.post_norm",
    r"model\.transformer_module\.decoder": "panoptic_head.transformer_decoder",
    r"cross_attn_layer_norm": "norms.0",
    r"self_attn_layer_norm": "norms.1",
    r"final_layer_norm": "norms.2",
    r"cross_attn": "attentions.0.attn",
    r"self_attn": "attentions.1.attn",
    r"(layers\.\d)\.fc1": r"\1.ffns.0.layers.0.0",
    r"(layers\.\d)\.fc2": r"\1.ffns.0.layers.1",
    r"class_predictor": "panoptic_head.cls_embed",
}


def mmdet_state(network):
    """The state of the network as mmdet would have saved it."""
    state = {k: v for k, v in network.state_dict().items() if "swin.layernorm" not in k and "criterion" not in k}
    found = {}
    for name, value in state.items():
        other = name
        for pattern, word in PLACES.items():
            other = re.sub(pattern, word, other)
        if match := re.fullmatch(r"(.*)\.attention\.([qkv])_proj\.(\w+)", other):
            found.setdefault(f"{match[1]}.attn.w_msa.qkv.{match[3]}", {})[match[2]] = value
        elif match := re.fullmatch(r"(.*attentions\.1\.attn)\.([qkv])_proj\.(\w+)", other):
            found.setdefault(f"{match[1]}.in_proj_{match[3]}", {})[match[2]] = value
        elif "downsample" in other:
            found[other] = by_channel(value)
        else:
            found[other] = value
    return {k: torch.cat([v[p] for p in "qkv"]) if isinstance(v, dict) else v for k, v in found.items()}


def by_channel(value):
    """From (column, row) x channels to channels x (row, column), place by place."""
    channels = value.shape[-1] // 4
    out = torch.empty_like(value)
    for channel in range(channels):
        for row in (0, 1):
            for column in (0, 1):
                out[..., channel * 4 + row * 2 + column] = value[..., (column * 2 + row) * channels + channel]
    return out


def test_the_converted_network_gives_the_same_masks(network):
    state = mmdet_state(network)
    state["backbone.stages.0.blocks.0.attn.w_msa.relative_position_index"] = torch.zeros(4, dtype=torch.long)
    again = network_of(state, network.config)
    x = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        one, other = network(pixel_values=x), again(pixel_values=x)
    assert torch.equal(one.masks_queries_logits, other.masks_queries_logits)
    assert torch.equal(one.class_queries_logits, other.class_queries_logits)


def test_patch_merging_by_unfold_is_that_by_slices(network):
    merge = network.model.pixel_level_module.encoder.swin.encoder.layers[0].downsample
    x = torch.randn(1, 8, 8, 16, generator=torch.Generator().manual_seed(0))
    unfolded = nn.Unfold(kernel_size=2, stride=2)(x.permute(0, 3, 1, 2)).transpose(1, 2)  # mmdet's way
    norm = nn.functional.layer_norm(unfolded, (64,), by_channel(merge.norm.weight), by_channel(merge.norm.bias))
    ours = norm @ by_channel(merge.reduction.weight).T
    theirs = merge(x.reshape(1, 64, 16), (8, 8))
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert torch.equal(_by_pixel(by_channel(merge.reduction.weight)), merge.reduction.weight)


def test_other_checkpoints_are_refused(network):
    with pytest.raises(WeightsError, match="which mmdet's Mask2Former with Swin does not"):
        converted({"backbone.conv1.weight": torch.zeros(1)})
    state = mmdet_state(network)
    del state["panoptic_head.query_feat.weight"]
    with pytest.raises(WeightsError, match="does not hold"):
        network_of(state, network.config)
    with pytest.raises(WeightsError, match="another size"):
        network_of({**state, "panoptic_head.query_feat.weight": torch.zeros(3, 32)}, network.config)
