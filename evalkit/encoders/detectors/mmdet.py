"""`mask2former-mmdet`: GenEval's own detector, whose mmdet 2.x checkpoint is read into transformers' network.

Both are the same network under other names (open-mmlab/mmdetection v2.28, mmdet/models/backbones/swin.py,
plugins/msdeformattn_pixel_decoder.py, dense_heads/mask2former_head.py). Two things differ in layout: queries, keys and
values lie in one matrix, and Swin's patch merging orders its four pixels by channel (torch.nn.Unfold).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evalkit.encoders.detectors.base import DESCRIPTIONS, Described, Detector
from evalkit.encoders.detectors.coco import COCO_CLASSES
from evalkit.encoders.detectors.mask2former import Mask2FormerDetector
from evalkit.encoders.registry import register
from evalkit.errors import MissingDependency, WeightsError
from evalkit.weights.find import find_weights
from evalkit.weights.reading import file_sha256, read_checkpoint

NAME = "mask2former-mmdet"
OFFICIAL, MARK = (
    "mask2former_swin-s-p4-w7-224_lsj_8x2_50e_coco",
    "743b7d99",
)  # GenEval's name, and how its sha256 begins
_SWIN, _PIXEL, _DECODER = (
    "model.pixel_level_module.encoder",
    "model.pixel_level_module.decoder",
    "model.transformer_module",
)
_BLOCK = rf"{_SWIN}.swin.encoder.layers.\1.blocks.\2"
_LAYER = rf"{_DECODER}.decoder.layers.\1"
_RULES = tuple(
    (re.compile(pattern), target)
    for pattern, target in (
        (r"backbone\.patch_embed\.projection\.(\w+)", rf"{_SWIN}.swin.embeddings.patch_embeddings.projection.\1"),
        (r"backbone\.patch_embed\.norm\.(\w+)", rf"{_SWIN}.swin.embeddings.norm.\1"),
        (r"backbone\.stages\.(\d)\.blocks\.(\d+)\.norm1\.(\w+)", rf"{_BLOCK}.layernorm_before.\3"),
        (r"backbone\.stages\.(\d)\.blocks\.(\d+)\.norm2\.(\w+)", rf"{_BLOCK}.layernorm_after.\3"),
        (
            r"backbone\.stages\.(\d)\.blocks\.(\d+)\.attn\.w_msa\.relative_position_bias_table",
            rf"{_BLOCK}.attention.relative_position_bias.relative_position_bias_table",
        ),
        (r"backbone\.stages\.(\d)\.blocks\.(\d+)\.attn\.w_msa\.proj\.(\w+)", rf"{_BLOCK}.attention.o_proj.\3"),
        (r"backbone\.stages\.(\d)\.blocks\.(\d+)\.ffn\.layers\.0\.0\.(\w+)", rf"{_BLOCK}.mlp.fc1.\3"),
        (r"backbone\.stages\.(\d)\.blocks\.(\d+)\.ffn\.layers\.1\.(\w+)", rf"{_BLOCK}.mlp.fc2.\3"),
        (r"backbone\.stages\.(\d)\.downsample\.(\w+)\.(\w+)", rf"{_SWIN}.swin.encoder.layers.\1.downsample.\2.\3"),
        (r"panoptic_head\.pixel_decoder\.input_convs\.(\d)\.conv\.(\w+)", rf"{_PIXEL}.input_projections.\1.0.\2"),
        (r"panoptic_head\.pixel_decoder\.input_convs\.(\d)\.gn\.(\w+)", rf"{_PIXEL}.input_projections.\1.1.\2"),
        (r"panoptic_head\.pixel_decoder\.lateral_convs\.0\.conv\.(\w+)", rf"{_PIXEL}.adapter_1.0.\1"),
        (r"panoptic_head\.pixel_decoder\.lateral_convs\.0\.gn\.(\w+)", rf"{_PIXEL}.adapter_1.1.\1"),
        (r"panoptic_head\.pixel_decoder\.output_convs\.0\.conv\.(\w+)", rf"{_PIXEL}.layer_1.0.\1"),
        (r"panoptic_head\.pixel_decoder\.output_convs\.0\.gn\.(\w+)", rf"{_PIXEL}.layer_1.1.\1"),
        (r"panoptic_head\.pixel_decoder\.mask_feature\.(\w+)", rf"{_PIXEL}.mask_projection.\1"),
        (r"panoptic_head\.pixel_decoder\.level_encoding\.weight", f"{_PIXEL}.level_embed"),
        (
            r"panoptic_head\.pixel_decoder\.encoder\.layers\.(\d)\.attentions\.0\.(\w+)\.(\w+)",
            rf"{_PIXEL}.encoder.layers.\1.self_attn.\2.\3",
        ),
        (
            r"panoptic_head\.pixel_decoder\.encoder\.layers\.(\d)\.ffns\.0\.layers\.0\.0\.(\w+)",
            rf"{_PIXEL}.encoder.layers.\1.fc1.\2",
        ),
        (
            r"panoptic_head\.pixel_decoder\.encoder\.layers\.(\d)\.ffns\.0\.layers\.1\.(\w+)",
            rf"{_PIXEL}.encoder.layers.\1.fc2.\2",
        ),
        (
            r"panoptic_head\.pixel_decoder\.encoder\.layers\.(\d)\.norms\.0\.(\w+)",
            rf"{_PIXEL}.encoder.layers.\1.self_attn_layer_norm.\2",
        ),
        (
            r"panoptic_head\.pixel_decoder\.encoder\.layers\.(\d)\.norms\.1\.(\w+)",
            rf"{_PIXEL}.encoder.layers.\1.final_layer_norm.\2",
        ),
        (r"panoptic_head\.query_embed\.weight", f"{_DECODER}.queries_embedder.weight"),
        (r"panoptic_head\.query_feat\.weight", f"{_DECODER}.queries_features.weight"),
        (r"panoptic_head\.level_embed\.weight", f"{_DECODER}.level_embed.weight"),
        (
            r"panoptic_head\.transformer_decoder\.layers\.(\d)\.attentions\.0\.attn\.(in_proj_\w+|out_proj\.\w+)",
            rf"{_LAYER}.cross_attn.\2",
        ),
        (
            r"panoptic_head\.transformer_decoder\.layers\.(\d)\.attentions\.1\.attn\.out_proj\.(\w+)",
            rf"{_LAYER}.self_attn.out_proj.\2",
        ),
        (r"panoptic_head\.transformer_decoder\.layers\.(\d)\.norms\.0\.(\w+)", rf"{_LAYER}.cross_attn_layer_norm.\2"),
        (r"panoptic_head\.transformer_decoder\.layers\.(\d)\.norms\.1\.(\w+)", rf"{_LAYER}.self_attn_layer_norm.\2"),
        (r"panoptic_head\.transformer_decoder\.layers\.(\d)\.norms\.2\.(\w+)", rf"{_LAYER}.final_layer_norm.\2"),
        (r"panoptic_head\.transformer_decoder\.layers\.(\d)\.ffns\.0\.layers\.0\.0\.(\w+)", rf"{_LAYER}.fc1.\2"),
        (r"panoptic_head\.transformer_decoder\.layers\.(\d)\.ffns\.0\.layers\.1\.(\w+)", rf"{_LAYER}.fc2.\2"),
        (r"panoptic_head\.transformer_decoder\.post_norm\.(\w+)", rf"{_DECODER}.decoder.layernorm.\1"),
        (r"panoptic_head\.cls_embed\.(\w+)", r"class_predictor.\1"),
    )
)
_NORM = re.compile(r"backbone\.norm(\d)\.(\w+)")
_MASK = re.compile(r"panoptic_head\.mask_embed\.([024])\.(\w+)")
_QKV = re.compile(r"backbone\.stages\.(\d)\.blocks\.(\d+)\.attn\.w_msa\.qkv\.(\w+)")
_SELF = re.compile(r"panoptic_head\.transformer_decoder\.layers\.(\d)\.attentions\.1\.attn\.in_proj_(\w+)")
_UNUSED = re.compile(r".*relative_position_index|panoptic_head\.loss_.*")


def converted(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parameters of an mmdet Mask2Former with a Swin backbone under transformers' names.

    Raises `WeightsError` for a parameter that such a network does not have.
    """
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        if not _UNUSED.fullmatch(name):
            found.update(_renamed(name, value))
    return found


def _renamed(name: str, value: Tensor) -> dict[str, Tensor]:
    if match := _QKV.fullmatch(name):
        block = match.expand(_BLOCK)
        parts = zip("qkv", value.chunk(3), strict=True)
        return {f"{block}.attention.{part}_proj.{match.group(3)}": rows for part, rows in parts}
    if match := _SELF.fullmatch(name):
        layer = match.expand(_LAYER)
        parts = zip("qkv", value.chunk(3), strict=True)
        return {f"{layer}.self_attn.{part}_proj.{match.group(2)}": rows for part, rows in parts}
    if match := _NORM.fullmatch(name):
        return {f"{_SWIN}.hidden_states_norms.stage{int(match.group(1)) + 1}.{match.group(2)}": value}
    if match := _MASK.fullmatch(name):
        place = int(match.group(1)) // 2
        return {f"{_DECODER}.decoder.mask_predictor.mask_embedder.{place}.0.{match.group(2)}": value}
    for pattern, target in _RULES:
        if match := pattern.fullmatch(name):
            return {match.expand(target): _by_pixel(value) if ".downsample." in name else value}
    raise WeightsError(f"the checkpoint has {name}, which mmdet's Mask2Former with Swin does not. Give GenEval's file")


def _by_pixel(value: Tensor) -> Tensor:
    """Patch merging's last axis from channels x (row, column) to (column, row) x channels."""
    pixels = value.reshape(*value.shape[:-1], -1, 4)[..., [0, 2, 1, 3]]
    return pixels.transpose(-1, -2).reshape(value.shape)


def network_of(state: Mapping[str, Tensor], config: Any = None) -> Any:
    """transformers' network with the parameters of an mmdet checkpoint. Raises `WeightsError` where they do not fit.

    `config`: sizes where they are not those of Swin-S with 100 queries and COCO's classes.
    """
    try:
        from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, SwinConfig
    except ImportError:
        raise MissingDependency("the detector Mask2Former", "hf") from None
    stages = [f"stage{n}" for n in range(1, 5)]
    small = SwinConfig(
        depths=[2, 2, 18, 2], embed_dim=96, num_heads=[3, 6, 12, 24], drop_path_rate=0.0, out_features=stages
    )
    network = Mask2FormerForUniversalSegmentation(
        config or Mask2FormerConfig(backbone_config=small, num_labels=len(COCO_CLASSES))
    )
    try:
        said = network.load_state_dict(converted(state), strict=False)
    except RuntimeError as error:
        raise WeightsError(f"the checkpoint is of another size: {str(error).splitlines()[-1].strip()[:160]}") from None
    missing = [
        name for name in said.missing_keys if not name.endswith((".swin.layernorm.weight", ".swin.layernorm.bias"))
    ]
    missing = [name for name in missing if not name.startswith("criterion.")]
    if missing or said.unexpected_keys:
        first = (missing or said.unexpected_keys)[0]
        raise WeightsError(f"the checkpoint does not hold what the network needs ({first}). Give GenEval's file")
    return network.eval().requires_grad_(False)


@register(NAME, "boxes")
def _load(weights: str | Path | None, device: torch.device) -> Detector:
    path = find_weights(NAME, weights)
    state = read_checkpoint(path)
    network = network_of(state.get("state_dict", state))
    sha256 = file_sha256(path)
    return Mask2FormerDetector.of_network(network, sha256, device, id=OFFICIAL if sha256.startswith(MARK) else NAME)


def _describe(weights: str | Path | None) -> Described:
    return Described(file_sha256(find_weights(NAME, weights)))


DESCRIPTIONS[NAME] = _describe
