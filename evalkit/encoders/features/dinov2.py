"""DINOv2 class tokens, the features of FD-DINOv2 (Oquab et al. 2023, arXiv:2304.07193; Stein et al. 2023, arXiv:2306.04675).

As layer6ai-labs/dgm-eval takes them: Pillow's bicubic filter to 224 x 224 whatever the aspect, ImageNet's mean and
deviation, the class token after the last norm. The paper's distance is that of ViT-L/14; the smaller networks are
cheaper, and their distances are other metrics.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from evalkit.encoders.base import FeatureExtractor
from evalkit.encoders.features.vit_dinov2 import MEAN, STD, DinoSize, DinoV2
from evalkit.encoders.registry import register
from evalkit.encoders.resize import resized
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, without_init
from evalkit.weights.reading import file_sha256, read_checkpoint


def _size(width: int, layers: int, heads: int) -> DinoSize:
    return DinoSize(width, layers, heads, registers=0, antialias=False, offset=0.1)


SIZES = {
    "dinov2-vitl14": _size(1024, 24, 16),
    "dinov2-vitb14": _size(768, 12, 12),
    "dinov2-vits14": _size(384, 12, 6),
}


class DinoFeatures(FeatureExtractor):
    """The class token [width] of a DINOv2 network without registers; names are those of dinov2_vit?14_pretrain.pth."""

    def __init__(self, weights: str | Path | None, device: torch.device, *, name: str, size: DinoSize) -> None:
        self.id, self.dim, self.side = name, size.width, size.size
        path = find_weights(name, weights)
        with without_init():
            network = DinoV2(size)
        fit(network, read_checkpoint(path), path, name, unused=(r"^mask_token$",))
        self.network = network.eval().requires_grad_(False).to(device)
        self.device = device
        self.weights_sha256 = file_sha256(path)

    @torch.inference_mode()
    def features(self, images: Tensor, *, resize: str | None = None) -> Tensor:
        """float32 [B, width] of uint8 [B, 3, H, W] images of any size."""
        out: Tensor = self.network(self.prepared(images, resize=resize))[:, 0]
        return out

    def prepared(self, images: Tensor, *, resize: str | None = None) -> Tensor:
        """The network's input [B, 3, side, side]: resized to 8 bits by Pillow (`resize` None), and normalised."""
        x = resized(self._check(images), self.side, resize or "bicubic-8bit")
        mean, std = (torch.tensor(values, device=self.device).view(3, 1, 1) for values in (MEAN, STD))
        return (x / 255 - mean) / std


for _name, _config in SIZES.items():
    register(_name, "features")(partial(DinoFeatures, name=_name, size=_config))
