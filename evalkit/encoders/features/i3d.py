"""I3D on colour frames (Carreira & Zisserman 2017, arXiv:1705.07750), whose 400 logits of Kinetics are FVD's features.

Parameter names are those of i3d_pretrained_400.pt, as videogpt/fvd/pytorch_i3d.py (wilson1yan/VideoGPT) loads it; those of
hassony2/kinetics_i3d_pytorch are read too. Zeros pad as TensorFlow's SAME does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.encoders.resize import resized
from evalkit.errors import EvalkitError, WeightsError
from evalkit.metrics.fvd import I3D
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, without_init
from evalkit.weights.programs import check_consent
from evalkit.weights.reading import file_sha256, is_program, read_checkpoint

SIDE, CLASSES = 224, 400
LEAST = 9  # frames, of which two places of time are left
Three = tuple[int, int, int]
_OTHER = (  # names of hassony2/kinetics_i3d_pytorch, and ours
    (r"^conv3d_0c_1x1\.", "logits."),
    (r"^conv3d_", "Conv3d_"),
    (r"^mixed_", "Mixed_"),
    (r"\.batch3d\.", ".bn."),
    (r"\.branch_0\.", ".b0."),
    (r"\.branch_3\.1\.", ".b3b."),
    (r"\.branch_([12])\.0\.", r".b\1a."),
    (r"\.branch_([12])\.1\.", r".b\1b."),
)


def same_pad(x: Tensor, kernel: Three, stride: Three) -> Tensor:
    """[B, C, T, H, W] with zeros around it, so that a window gives one value for each `stride` positions begun."""
    pads: list[int] = []
    for size, width, step in zip(reversed(x.shape[2:]), reversed(kernel), reversed(stride), strict=True):
        more = max(width - (size % step or step), 0)
        pads += [more // 2, more - more // 2]
    return F.pad(x, pads)


class Unit(nn.Module):
    """Convolution, batch norm and ReLU."""

    def __init__(self, cin: int, cout: int, kernel: Three = (1, 1, 1), stride: Three = (1, 1, 1)) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.conv3d = nn.Conv3d(cin, cout, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(cout)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, T, H, W] -> [B, cout, T', H', W']."""
        return F.relu(self.bn(self.conv3d(same_pad(x, self.kernel, self.stride))))


class Logits(nn.Module):
    """The classifier at every place."""

    def __init__(self, cin: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(cin, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, T, H, W] -> [B, 400, T, H, W]."""
        found: Tensor = self.conv3d(x)
        return found


def _pool(x: Tensor, kernel: Three, stride: Three) -> Tensor:
    return F.max_pool3d(same_pad(x, kernel, stride), kernel, stride)


class Mixed(nn.Module):
    """An Inception block of four branches."""

    def __init__(self, cin: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        cube = (3, 3, 3)
        self.b0 = Unit(cin, widths[0])
        self.b1a, self.b1b = Unit(cin, widths[1]), Unit(widths[1], widths[2], cube)
        self.b2a, self.b2b = Unit(cin, widths[3]), Unit(widths[3], widths[4], cube)
        self.b3b = Unit(cin, widths[5])

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, T, H, W] -> [B, sum of the branches' widths, T, H, W]."""
        pooled = _pool(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], 1)


class I3dNet(nn.Module):
    """The whole network."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, (7, 7, 7), (2, 2, 2))
        self.Conv3d_2b_1x1, self.Conv3d_2c_3x3 = Unit(64, 64), Unit(64, 192, (3, 3, 3))
        self.Mixed_3b, self.Mixed_3c = Mixed(192, (64, 96, 128, 16, 32, 32)), Mixed(256, (128, 128, 192, 32, 96, 64))
        self.Mixed_4b = Mixed(480, (192, 96, 208, 16, 48, 64))
        self.Mixed_4c = Mixed(512, (160, 112, 224, 24, 64, 64))
        self.Mixed_4d = Mixed(512, (128, 128, 256, 24, 64, 64))
        self.Mixed_4e = Mixed(512, (112, 144, 288, 32, 64, 64))
        self.Mixed_4f = Mixed(528, (256, 160, 320, 32, 128, 128))
        self.Mixed_5b = Mixed(832, (256, 160, 320, 32, 128, 128))
        self.Mixed_5c = Mixed(832, (384, 192, 384, 48, 128, 128))
        self.logits = Logits(1024)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, 400] of clips [B, 3, T, 224, 224], T from 9: the mean over what is left of time."""
        flat, cube = ((1, 3, 3), (1, 2, 2)), ((3, 3, 3), (2, 2, 2))
        x = _pool(self.Conv3d_1a_7x7(x), *flat)
        x = _pool(self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x)), *flat)
        x = _pool(self.Mixed_3c(self.Mixed_3b(x)), *cube)
        x = self.Mixed_4f(self.Mixed_4e(self.Mixed_4d(self.Mixed_4c(self.Mixed_4b(x)))))
        x = self.Mixed_5c(self.Mixed_5b(_pool(x, (2, 2, 2), (2, 2, 2))))
        x = self.logits(F.avg_pool3d(x, (2, 7, 7), 1))
        return x.mean((2, 3, 4))


class I3dFeatures:
    """The logits of clips, loaded from a file in one of both public layouts, or from StyleGAN-V's TorchScript with consent."""

    def __init__(self, weights: str | Path | None, device: torch.device, eps: float) -> None:
        path = find_weights(I3D, weights)
        state = renamed(_state(path))
        with without_init():
            network = I3dNet(eps)
        fit(network, state, path, I3D)
        self.network = network.eval().requires_grad_(False).to(device)
        self.device, self.weights_sha256 = device, file_sha256(path)

    @torch.inference_mode()
    def features(self, clips: Tensor, *, resize: str) -> Tensor:
        """float32 [B, 400] of uint8 [B, T, 3, H, W], brought to 224 px by `resize` of encoders.resize and to [-1, 1]."""
        if clips.dtype != torch.uint8 or clips.ndim != 5 or clips.shape[2] != 3 or clips.shape[1] < LEAST:
            raise EvalkitError(
                f"{I3D} takes uint8 clips [B, T, 3, H, W] of {LEAST} frames or more; {clips.dtype} "
                f"{tuple(clips.shape)} was given"
            )
        frames = resized(clips.flatten(0, 1).to(self.device), SIDE, resize)
        x = (frames / 127.5 - 1).view(*clips.shape[:2], 3, SIDE, SIDE)
        found: Tensor = self.network(x.transpose(1, 2).contiguous())
        return found


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of either public layout under the names of this network.

    >>> names = ("conv3d_1a_7x7.conv3d.weight", "mixed_3b.branch_1.0.batch3d.bias")
    >>> list(renamed(dict.fromkeys(names, torch.zeros(1))))[1]
    'Mixed_3b.b1a.bn.bias'
    """
    if not any(key.startswith("conv3d_") for key in state):
        return dict(state)
    found = {}
    for key, value in state.items():
        for pattern, name in _OTHER:
            key = re.sub(pattern, name, key)
        found[key] = value
    return found


def _state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file; those of a program are read after consent to it, and its code computes nothing here."""
    if not is_program(path):
        return {name: value for name, value in read_checkpoint(path).items() if isinstance(value, Tensor)}
    check_consent(I3D, path)
    load: Any = torch.jit.load  # untyped in torch
    try:
        return dict(load(str(path), map_location="cpu").state_dict())
    except (RuntimeError, ValueError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise WeightsError(f"{path.name} is no whole TorchScript file: {reason}. Fetch it again") from None
