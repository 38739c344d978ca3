"""YuNet-s, a face detector of 0.05 M parameters (Wu, Peng and Yu 2023, doi:10.1007/s11633-023-1423-y).

Attribute names are those of the official weights (ShiqiYu/libfacedetection.train, Apache-2.0), batch norms folded in;
the head of the five landmarks is left out. Input is BGR on 0..255 with sides that are multiples of 32.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

STRIDES = (8, 16, 32)
WIDTHS = ((16, 16), (16, 32), (32, 64), (64, 64), (64, 64), (64, 64))
POOLED = frozenset({0, 2, 3, 4})  # stages whose output is halved before the next
Level = tuple[Tensor, Tensor, Tensor]


class Unit(nn.Module):
    """A pointwise convolution, then a depthwise one of 3 x 3."""

    def __init__(self, cin: int, cout: int, *, relu: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 1)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1, groups=cout)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, h, w] -> [B, cout, h, w]."""
        x = self.conv2(self.conv1(x))
        return F.relu(x) if self.relu else x


class Stem(nn.Module):
    """The first stage: a strided convolution and a unit."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.conv2 = Unit(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, width, H / 2, W / 2]."""
        out: Tensor = self.conv2(F.relu(self.conv1(x)))
        return out


class Stage(nn.Module):
    """Two units; the second widens."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.conv1 = Unit(cin, cin)
        self.conv2 = Unit(cin, cout)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, h, w] -> [B, cout, h, w]."""
        out: Tensor = self.conv2(self.conv1(x))
        return out


class Backbone(nn.Module):
    """Six stages; the last three give the levels of stride 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.model0 = Stem(WIDTHS[0][1])
        for index, (cin, cout) in enumerate(WIDTHS[1:], 1):
            self.add_module(f"model{index}", Stage(cin, cout))

    def forward(self, x: Tensor) -> list[Tensor]:
        """[B, 3, H, W] -> three maps of 64 channels."""
        levels = []
        for index in range(len(WIDTHS)):
            x = getattr(self, f"model{index}")(x)
            if index >= 3:
                levels.append(x)
            if index in POOLED:
                x = F.max_pool2d(x, 2)
        return levels


class Neck(nn.Module):
    """Coarse levels are added to the finer ones."""

    def __init__(self) -> None:
        super().__init__()
        self.lateral_convs = nn.ModuleList(Unit(64, 64) for _ in STRIDES)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Three maps of 64 channels, from stride 8 to 32."""
        eight, sixteen, last = levels
        last = self.lateral_convs[2](last)
        sixteen = self.lateral_convs[1](sixteen + F.interpolate(last, scale_factor=2.0, mode="nearest"))
        eight = self.lateral_convs[0](eight + F.interpolate(sixteen, scale_factor=2.0, mode="nearest"))
        return [eight, sixteen, last]


class Head(nn.Module):
    """Class score, objectness and box of every cell of every level."""

    def __init__(self) -> None:
        super().__init__()
        self.multi_level_cls = nn.ModuleList(Unit(64, 1, relu=False) for _ in STRIDES)
        self.multi_level_obj = nn.ModuleList(Unit(64, 1, relu=False) for _ in STRIDES)
        self.multi_level_bbox = nn.ModuleList(Unit(64, 4, relu=False) for _ in STRIDES)

    def forward(self, levels: list[Tensor]) -> list[Level]:
        """Logits [B, 1, h, w] twice and boxes [B, 4, h, w] (centre and log size in cells) for each level."""
        parts = zip(levels, self.multi_level_cls, self.multi_level_obj, self.multi_level_bbox, strict=True)
        return [(scores(x), objects(x), boxes(x)) for x, scores, objects, boxes in parts]


class YuNet(nn.Module):
    """The whole detector; `faces.YunetFaces` turns its maps into boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.neck = Neck()
        self.bbox_head = Head()

    def forward(self, x: Tensor) -> list[Level]:
        """float32 BGR [B, 3, H, W] on 0..255 -> what `Head` says."""
        found: list[Level] = self.bbox_head(self.neck(self.backbone(x)))
        return found
