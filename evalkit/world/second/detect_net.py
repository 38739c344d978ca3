"""The detector's network: which class has a centre where, in which colour and box, and the ground and style of an image.

Answers stand on a map of 24 x 24 cells of 4 px. A centre is a peak of its class's map (arXiv 1904.07850), trained with
that paper's focal loss; colour and box are read at the peaks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.world.second.vocabulary import CLASS_NAMES, COLOR_NAMES, GROUNDS, STYLE_NAMES
from evalkit.world.vq_net import Residual

STRIDE = 4  # px of a cell
BOX = 4  # offset of the centre from the middle of its cell in cells, width and height in cells


@dataclass(frozen=True)
class DetectorConfig:
    """Channels at strides 2, 4 and 8, and the residual blocks at stride 8."""

    widths: tuple[int, int, int] = (24, 48, 80)
    blocks: int = 3
    classes: int = len(CLASS_NAMES)
    colors: int = len(COLOR_NAMES) + 1
    grounds: int = len(GROUNDS)
    styles: int = len(STYLE_NAMES)


@dataclass(frozen=True)
class Answers:
    """What the network says of images: maps [B, n, h, w] of classes, colours and boxes; [B, n] of grounds and styles."""

    classes: Tensor
    colors: Tensor
    boxes: Tensor
    grounds: Tensor
    styles: Tensor


class DetectorNet(nn.Module):
    """[B, 3, 96, 96] in 0..255 to `Answers`, as logits and cells."""

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.config = config
        low, middle, high = config.widths
        self.enter = nn.Conv2d(3, low, 5, stride=2, padding=2)
        self.middle = nn.Sequential(nn.SiLU(), nn.Conv2d(low, middle, 3, stride=2, padding=1), Residual(middle))
        self.high = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(middle, high, 3, stride=2, padding=1),
            *(Residual(high) for _ in range(config.blocks)),
            nn.SiLU(),
        )
        self.rise = nn.Conv2d(high, middle, 1)
        self.join = nn.Sequential(Residual(middle), nn.SiLU(), nn.Conv2d(middle, high, 1), nn.SiLU())
        self.maps = nn.Conv2d(high, config.classes + config.colors + BOX, 1)
        self.whole = nn.Linear(high, config.grounds + config.styles)
        if self.maps.bias is not None:
            nn.init.constant_(self.maps.bias[: config.classes], -4.0)  # nearly every cell is no centre

    def forward(self, images: Tensor) -> Answers:
        """See the class."""
        middle = self.middle(self.enter(images / 64 - 2))
        high = self.high(middle)
        wide = F.interpolate(self.rise(high), scale_factor=2.0, mode="bilinear", align_corners=False)
        maps = self.maps(self.join(middle + wide)).float()
        classes, colors, boxes = maps.split((self.config.classes, self.config.colors, BOX), 1)
        whole = self.whole(high.mean((2, 3))).float()
        return Answers(classes, colors, boxes, *whole.split((self.config.grounds, self.config.styles), 1))
