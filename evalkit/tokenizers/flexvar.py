"""FlexVAR's multi-scale VAE (arXiv:2502.20313; jiaosiyu1999/FlexVAR): LlamaGen's network, scales without residuals."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.llamagen import LlamaGen, LlamaGenConfig
from evalkit.tokenizers.registry import register

SCALES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16)
ALL = sum(side * side for side in SCALES)
CONFIG = LlamaGenConfig(codes=8912, code_dim=32)  # 8912, not 8192, in the official training script


@register("flexvar", weights="FlexVAE.pth", config=CONFIG)
class FlexVar(LlamaGen):
    """Each scale is quantised from the resized features by itself; the finest alone is decoded.

    Codes are the ten scales one after the other (680); `codes(indices=...)` also takes one square scale.
    """

    wrapping: ClassVar[tuple[str, ...]] = ("model",)

    def tokens_per_image(self, height: int, width: int) -> int:
        """All scales together; the finest is the grid of 16 x 16 blocks."""
        return sum(h * w for h, w in self.grids(height // self.multiple, width // self.multiple))

    def grids(self, height: int, width: int) -> list[tuple[int, int]]:
        """(rows, columns) of each scale of an image of height x width blocks; 16 x 16 gives the official schedule."""
        return [(max(1, round(s * height / SCALES[-1])), max(1, round(s * width / SCALES[-1]))) for s in SCALES]

    def _encode(self, x: Tensor) -> Codes:
        h = self.network.encoder(x)
        full = (int(h.shape[2]), int(h.shape[3]))
        parts = []
        for grid in self.grids(*full):
            resized = h if grid == full else F.interpolate(h, size=grid, mode="area")
            parts.append(self.network.quantize.indices(self.network.quant_conv(resized)))
        return Codes(indices=torch.cat(parts, 1), scale_lengths=tuple(p.shape[1] for p in parts), grid=full)

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        indices = codes.values
        if codes.grid is None and not codes.scale_lengths and indices.shape[1] == ALL:
            codes = Codes(indices=indices, grid=(16, 16))
        rows, columns = codes.map_grid()
        last = indices[:, -rows * columns :]
        return super()._decode(Codes(indices=last, grid=(rows, columns)), seed, noise)
