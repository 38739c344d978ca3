"""world-vq2's network: an encoder whose codes see 40 px around them, a codebook on the unit sphere, world-vq's decoder."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.world.vq_net import Pointwise, Residual, WorldVQConfig, WorldVQNet

CONFIG = WorldVQConfig(codes=2048, encoder=(64, 160), widths=(160, 96, 48))


class WideEncoder(nn.Module):
    """[B, 3, 8h, 8w] in [-1, 1] -> [B, code_dim, h, w] of length 1; each position sees 40 x 40 px."""

    def __init__(self, config: WorldVQConfig) -> None:
        super().__init__()
        low, high = config.encoder
        self.enter = nn.Conv2d(3, low, 4, stride=4)
        self.low = Residual(low)
        self.merge = nn.Conv2d(low, high, 2, stride=2)
        self.near = Pointwise(high)
        self.around = nn.Conv2d(high, high, 3, padding=1, padding_mode="replicate")
        self.far = Pointwise(high)
        self.out = nn.Conv2d(high, config.code_dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features before quantisation."""
        x = self.near(F.gelu(self.merge(F.silu(self.low(self.enter(x))))))
        x = self.far(x + self.around(F.gelu(x)))
        return F.normalize(self.out(x).float(), dim=1)


class WorldVQ2Net(WorldVQNet):
    """world-vq's network with the wide encoder."""

    def __init__(self, config: WorldVQConfig) -> None:
        super().__init__(config)
        self.encoder = WideEncoder(config)
