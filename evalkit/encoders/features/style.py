"""Embeddings of an image's style, of unit length: CSD, and OneIG-Bench's own encoder.

Sources: Somepalli et al. 2024 (arXiv:2404.01292), learn2phoenix/CSD; OneIG-Bench/OneIG-Benchmark 41b4983,
scripts/utils/inference.py. The latter runs its encoder in bfloat16; here all is float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.encoders.base import FeatureExtractor
from evalkit.encoders.clip_vision import FILE, ClipVision
from evalkit.encoders.features.clip import MEAN, STD, image_half
from evalkit.encoders.registry import register
from evalkit.encoders.resize import resized
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, unwrap
from evalkit.weights.reading import file_sha256, read_checkpoint

CSD, ONEIG = "csd", "oneig-style"


@register(CSD, "features")
class Csd(FeatureExtractor):
    """CSD's style descriptor: CLIP's ViT-L/14, tuned, with a projection of its own."""

    def __init__(
        self, weights: str | Path | None, device: torch.device, *, config: Mapping[str, Any] | None = None
    ) -> None:
        """`config`: sizes in open_clip's form where they are not those of ViT-L/14."""
        import open_clip  # slow to import, and needed by few

        path = find_weights(CSD, weights)
        sizes = config or open_clip.get_model_config("ViT-L-14")
        network = image_half(sizes)
        state = unwrap(read_checkpoint(path), ("model_state_dict",), ("module.", "backbone."))
        state = {"proj" if key == "last_layer_style" else key: value for key, value in state.items()}
        fit(network, state, path, CSD, unused=(r"^last_layer_content",))
        self.id, self.dim, self.side = CSD, int(sizes["embed_dim"]), int(sizes["vision_cfg"]["image_size"])
        self.network, self.device = network.eval().requires_grad_(False).to(device), device
        self.weights_sha256 = file_sha256(path)

    @torch.inference_mode()
    def features(self, images: Tensor, *, resize: str | None = None) -> Tensor:
        """float32 [B, dim] of uint8 [B, 3, H, W] images."""
        x = resized(self._check(images), self.side, resize or "clip") / 255
        mean, std = (torch.tensor(values, device=self.device).view(3, 1, 1) for values in (MEAN, STD))
        return F.normalize(self.network((x - mean) / std), dim=1)


@register(ONEIG, "features")
class OneigStyle(FeatureExtractor):
    """OneIG-Bench's style encoder, a CLIP image tower in transformers' layout."""

    def __init__(self, weights: str | Path | None, device: torch.device) -> None:
        folder = find_weights(ONEIG, weights)
        self.network = ClipVision(folder, read_checkpoint(folder / FILE), device, ONEIG)
        self.id, self.side, self.dim, self.device = ONEIG, self.network.side, self.network.dim, device
        self.weights_sha256 = file_sha256(folder / FILE)

    @torch.inference_mode()
    def features(self, images: Tensor, *, resize: str | None = None) -> Tensor:
        """float32 [B, dim] of uint8 [B, 3, H, W] images; the way to its side is the encoder's own."""
        return F.normalize(self.network(self._check(images)), dim=1)
