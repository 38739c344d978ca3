"""LPIPS, the learned perceptual distance (Zhang et al. 2018, arXiv:1801.03924; richzhang/PerceptualSimilarity v0.1).

Unit-normalised features of five (SqueezeNet: seven) layers are subtracted, squared, weighted by the official linear
heads (shipped, BSD-2-Clause), averaged over positions and summed. Trunks carry torchvision's parameter names.
"""

from __future__ import annotations

from functools import partial
from importlib.resources import files as package_files
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.encoders.base import PerceptualDistance
from evalkit.encoders.folded import folded
from evalkit.encoders.registry import register
from evalkit.errors import EvalkitError
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, without_init
from evalkit.weights.reading import file_sha256, read_checkpoint

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
SMALLEST = {"alex": 31, "vgg": 16, "squeeze": 17}


class Fire(nn.Module):
    """SqueezeNet's squeeze and two expansions."""

    def __init__(self, cin: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(cin, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, 2 expand, H, W]."""
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


def _alex() -> tuple[list[nn.Module], tuple[int, ...]]:
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    layers += [nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    for cin, cout in ((192, 384), (384, 256), (256, 256)):
        layers += [nn.Conv2d(cin, cout, 3, padding=1), nn.ReLU()]
    return layers, (1, 4, 7, 9, 11)


def _vgg() -> tuple[list[nn.Module], tuple[int, ...]]:
    layers: list[nn.Module] = []
    cin = 3
    for stage, (width, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        layers += [nn.MaxPool2d(2, 2)] if stage else []
        for _ in range(depth):
            layers += [nn.Conv2d(cin, width, 3, padding=1), nn.ReLU()]
            cin = width
    return layers, (3, 8, 15, 22, 29)


def _squeeze() -> tuple[list[nn.Module], tuple[int, ...]]:
    def pool() -> nn.Module:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool(), Fire(64, 16, 64), Fire(128, 16, 64)]
    layers += [pool(), Fire(128, 32, 128), Fire(256, 32, 128), pool(), Fire(256, 48, 192)]
    layers += [Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256)]
    return layers, (1, 4, 7, 9, 10, 11, 12)


TRUNKS = {"alex": _alex, "vgg": _vgg, "squeeze": _squeeze}


class Trunk(nn.Module):
    """The convolutional part of a torchvision classifier with the layers that LPIPS looks at."""

    def __init__(self, net: str) -> None:
        super().__init__()
        layers, self.taps = TRUNKS[net]()
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Unit-normalised feature maps of the tapped layers."""
        found = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taps:
                found.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10))
        return found


class Lpips(PerceptualDistance):
    """LPIPS with one trunk; `distance` is 0 for equal images and grows with perceived difference."""

    def __init__(self, net: str, weights: str | Path | None, device: torch.device) -> None:
        path = find_weights(f"lpips-trunk-{net}", weights)
        with without_init():
            trunk = Trunk(net)
        fit(trunk, read_checkpoint(path), path, f"lpips-{net}", unused=(r"^classifier\.",))
        self.id, self.net = f"lpips-{net}", net
        self.device = device
        self.trunk = folded(trunk).to(device)
        self.heads = [head.to(device) for head in load_heads(net)]
        self.shift = torch.tensor(SHIFT, device=device)[:, None, None]
        self.scale = torch.tensor(SCALE, device=device)[:, None, None]
        self.weights_sha256 = file_sha256(path)

    @torch.inference_mode()
    def distance(self, x: Tensor, y: Tensor, *, normalise: bool = True) -> Tensor:
        """float32 [B] distances of float images [B, 3, H, W] on [0, 1].

        `normalise` maps them to the [-1, 1] that the network was trained on; False feeds them as they are (VTBench).
        """
        if x.shape != y.shape or x.ndim != 4 or x.shape[1] != 3:
            raise EvalkitError(
                f"LPIPS takes two [B, 3, H, W] batches of one shape; {tuple(x.shape)}, {tuple(y.shape)} given"
            )
        if min(x.shape[2:]) < SMALLEST[self.net]:
            raise EvalkitError(f"LPIPS ({self.net}) needs sides from {SMALLEST[self.net]}; {tuple(x.shape[2:])} given")
        pair = torch.cat([x, y]).to(self.device, torch.float32)
        pair = ((pair * 2 - 1 if normalise else pair) - self.shift) / self.scale
        total = torch.zeros(len(x), device=self.device)
        for features, head in zip(self.trunk(pair), self.heads, strict=True):
            a, b = features.chunk(2)
            total += ((a - b).square() * head[:, None, None]).sum(1).mean((1, 2))
        return total.cpu()


def load_heads(net: str) -> list[Tensor]:
    """The official linear heads of one network, a float32 [channels] vector a layer."""
    from safetensors.torch import load

    stored = load((package_files("evalkit.encoders") / "data" / "lpips_heads.safetensors").read_bytes())
    names = sorted(name for name in stored if name.startswith(f"{net}."))
    return [stored[name] for name in names]


for _net in TRUNKS:
    register(f"lpips-{_net}", "distance")(partial(Lpips, _net))
