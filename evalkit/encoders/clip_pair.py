"""CLIP's image and text towers together, by open_clip's network, from files in open_clip's or transformers' layout."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evalkit.encoders.features.clip import MEAN, STD
from evalkit.encoders.resize import resized
from evalkit.errors import EvalkitError
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, unwrap, without_init
from evalkit.weights.reading import file_sha256, read_checkpoint


@dataclass(frozen=True)
class PairRule:
    """`weights`: manifest key; `model`: open_clip's name; `quick`: OpenAI's activation; `resize`: way of encoders.resize."""

    weights: str
    model: str
    quick: bool
    resize: str


class ClipPair:
    """Embeddings of images and of texts in one space, as they leave the projections (not of unit length)."""

    def __init__(
        self,
        rule: PairRule,
        weights: str | Path | None,
        device: torch.device,
        *,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        """`config`: sizes in open_clip's form where they are not those of `rule.model`."""
        import open_clip  # slow to import, and needed by few

        path = find_weights(rule.weights, weights)
        sizes = config or open_clip.get_model_config(rule.model)
        vision, text = dict(sizes["vision_cfg"]), dict(sizes["text_cfg"])
        with without_init():
            network = open_clip.CLIP(sizes["embed_dim"], vision, text, quick_gelu=rule.quick)
        state = unwrap(read_checkpoint(path), ("state_dict", "model"), ("module.",))
        fit(network, open_clip_layout(state), path, rule.weights, unused=(r"position_ids$", r"^attn_mask$"))
        self.rule, self.device = rule, device
        self.side, self.dim = int(vision["image_size"]), int(sizes["embed_dim"])
        self.network = network.eval().requires_grad_(False).to(device)
        self._tokens = open_clip.tokenizer.SimpleTokenizer(context_length=text["context_length"])
        self.weights_sha256 = file_sha256(path)

    @property
    def logit_scale(self) -> float:
        """The model's own scale of cosines, before exp."""
        return float(self.network.logit_scale)

    @torch.inference_mode()
    def images(self, images: Tensor) -> Tensor:
        """float32 [B, dim] of uint8 [B, 3, H, W] images of any size."""
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            shape = tuple(images.shape)
            raise EvalkitError(f"CLIP takes uint8 [B, 3, H, W] images; {images.dtype} {shape} was given. Convert them.")
        x = resized(images.to(self.device), self.side, self.rule.resize) / 255
        mean, std = (torch.tensor(values, device=self.device).view(3, 1, 1) for values in (MEAN, STD))
        out: Tensor = self.network.encode_image((x - mean) / std)
        return out

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """float32 [B, dim] of texts; what exceeds the context is cut, as every CLIP score does."""
        out: Tensor = self.network.encode_text(self._tokens(list(texts)).to(self.device))
        return out


def open_clip_layout(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Parameters under open_clip's names; a file with transformers' names is translated, any other returned as it is."""
    if not any(key.startswith("vision_model.") for key in state):
        return dict(state)
    found: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        if match := re.fullmatch(r"(.+)\.self_attn\.([qkv])_proj\.(weight|bias)", key):
            block, which, kind = match.groups()
            parts.setdefault(f"{_block(block)}.attn.in_proj_{kind}", {})[which] = value
        elif key in _WHOLE:
            found[_WHOLE[key]] = value.t() if key.endswith("_projection.weight") else value
        elif match := re.fullmatch(r"(.+\.layers\.\d+)\.(.+)\.(weight|bias)", key):
            block, inner, kind = match.groups()
            found[f"{_block(block)}.{_INNER.get(inner, inner)}.{kind}"] = value
        else:
            found[key] = value
    whole = {name: torch.cat([rows[which] for which in "qkv"]) for name, rows in parts.items() if len(rows) == 3}
    return found | whole


def _block(name: str) -> str:
    tower, _, number = name.partition(".encoder.layers.")
    return f"{'visual.' if tower == 'vision_model' else ''}transformer.resblocks.{number}"


_INNER = {"self_attn.out_proj": "attn.out_proj", "layer_norm1": "ln_1", "layer_norm2": "ln_2"}
_INNER |= {"mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
_WHOLE = {
    "logit_scale": "logit_scale",
    "text_projection.weight": "text_projection",
    "visual_projection.weight": "visual.proj",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    **{f"text_model.final_layer_norm.{kind}": f"ln_final.{kind}" for kind in ("weight", "bias")},
    **{f"vision_model.pre_layrnorm.{kind}": f"visual.ln_pre.{kind}" for kind in ("weight", "bias")},
    **{f"vision_model.post_layernorm.{kind}": f"visual.ln_post.{kind}" for kind in ("weight", "bias")},
}
