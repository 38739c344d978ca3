"""The Inception-v3 of the FID (Szegedy et al. 2015, arXiv:1512.00567, as TensorFlow's 2015-12-05 graph computes it).

It differs from torchvision's network in four places: average pools of the mixed blocks leave padding out of their mean,
the last block pools by maximum, the classifier has 1,008 outputs, and images arrive through TF1's bilinear resize as
(value - 128) / 128. Parameter names are those of pt_inception-2015-12-05-6726825d.pth (mseitzer/pytorch-fid).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.encoders.base import FeatureExtractor
from evalkit.encoders.folded import folded
from evalkit.encoders.packed import packed
from evalkit.encoders.registry import register
from evalkit.encoders.resize import resized
from evalkit.errors import EvalkitError
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, without_init
from evalkit.weights.reading import file_sha256, read_checkpoint

SIDE = 299
SCALES = ("(v - 128) / 128", "v / 127.5 - 1")  # of the original graph, and of pytorch-fid
OUTPUTS = ("64", "192", "768", "2048", "logits", "logits_unbiased", "sfid")


class Conv(nn.Module):
    """Convolution without bias, batch norm (eps 1e-3), ReLU."""

    def __init__(
        self, cin: int, cout: int, kernel: int | tuple[int, int], stride: int = 1, padding: int | tuple[int, int] = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(cout, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, cout, H', W']."""
        return F.relu(self.bn(self.conv(x)))


def _mean_pool(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class MixedA(nn.Module):
    """Mixed_5b to 5d."""

    def __init__(self, cin: int, pool: int) -> None:
        super().__init__()
        self.branch1x1 = Conv(cin, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = Conv(cin, 48, 1), Conv(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = Conv(cin, 64, 1)
        self.branch3x3dbl_2, self.branch3x3dbl_3 = Conv(64, 96, 3, padding=1), Conv(96, 96, 3, padding=1)
        self.branch_pool = Conv(cin, pool, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, 35, 35] -> [B, 224 + pool, 35, 35]."""
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(_mean_pool(x))], 1)


class MixedB(nn.Module):
    """Mixed_6a: halves the map."""

    def __init__(self, cin: int) -> None:
        super().__init__()
        self.branch3x3 = Conv(cin, 384, 3, stride=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(cin, 64, 1), Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Conv(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, 35, 35] -> [B, cin + 480, 17, 17]."""
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), three, F.max_pool2d(x, 3, stride=2)], 1)


class MixedC(nn.Module):
    """Mixed_6b to 6e: factorised 7x7 convolutions."""

    def __init__(self, cin: int, mid: int) -> None:
        super().__init__()
        across, down = (1, 7), (7, 1)
        self.branch1x1 = Conv(cin, 192, 1)
        self.branch7x7_1 = Conv(cin, mid, 1)
        self.branch7x7_2 = Conv(mid, mid, across, padding=(0, 3))
        self.branch7x7_3 = Conv(mid, 192, down, padding=(3, 0))
        self.branch7x7dbl_1 = Conv(cin, mid, 1)
        self.branch7x7dbl_2 = Conv(mid, mid, down, padding=(3, 0))
        self.branch7x7dbl_3 = Conv(mid, mid, across, padding=(0, 3))
        self.branch7x7dbl_4 = Conv(mid, mid, down, padding=(3, 0))
        self.branch7x7dbl_5 = Conv(mid, 192, across, padding=(0, 3))
        self.branch_pool = Conv(cin, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, 17, 17] -> [B, 768, 17, 17]."""
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x), once, twice, self.branch_pool(_mean_pool(x))], 1)


class MixedD(nn.Module):
    """Mixed_7a: halves the map."""

    def __init__(self, cin: int) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = Conv(cin, 192, 1), Conv(192, 320, 3, stride=2)
        self.branch7x7x3_1 = Conv(cin, 192, 1)
        self.branch7x7x3_2 = Conv(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = Conv(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = Conv(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, 17, 17] -> [B, cin + 512, 8, 8]."""
        seven = self.branch7x7x3_2(self.branch7x7x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(seven))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), seven, F.max_pool2d(x, 3, stride=2)], 1)


class MixedE(nn.Module):
    """Mixed_7b and 7c; the second pools by maximum."""

    def __init__(self, cin: int, *, by_maximum: bool) -> None:
        super().__init__()
        self.by_maximum = by_maximum
        self.branch1x1 = Conv(cin, 320, 1)
        self.branch3x3_1 = Conv(cin, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = (
            Conv(384, 384, k, padding=p) for k, p in (((1, 3), (0, 1)), ((3, 1), (1, 0)))
        )
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(cin, 448, 1), Conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = Conv(cin, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, 8, 8] -> [B, 2048, 8, 8]."""
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, stride=1, padding=1) if self.by_maximum else _mean_pool(x)
        parts = [self.branch1x1(x), self.branch3x3_2a(three), self.branch3x3_2b(three)]
        parts += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double), self.branch_pool(pooled)]
        return torch.cat(parts, 1)


class FidInception(nn.Module):
    """The whole network; `forward` gives the named outputs of images [B, 3, 299, 299] on the (value - 128) / 128 scale."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3, self.Conv2d_2a_3x3 = Conv(3, 32, 3, stride=2), Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1, self.Conv2d_4a_3x3 = Conv(64, 80, 1), Conv(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = MixedA(192, 32), MixedA(256, 64), MixedA(288, 64)
        self.Mixed_6a = MixedB(288)
        self.Mixed_6b, self.Mixed_6c = MixedC(768, 128), MixedC(768, 160)
        self.Mixed_6d, self.Mixed_6e = MixedC(768, 160), MixedC(768, 192)
        self.Mixed_7a = MixedD(768)
        self.Mixed_7b, self.Mixed_7c = MixedE(1280, by_maximum=False), MixedE(2048, by_maximum=True)
        self.fc = nn.Linear(2048, 1008)

    def forward(self, x: Tensor, wanted: Sequence[str] = ("2048",)) -> dict[str, Tensor]:
        """64, 192, 768, 2048: pooled features [B, d]; logits, logits_unbiased [B, 1008]; sfid [B, 2023]."""
        out: dict[str, Tensor] = {}
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = F.max_pool2d(x, 3, stride=2)
        out["64"] = x.mean((2, 3))
        x = F.max_pool2d(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)), 3, stride=2)
        out["192"] = x.mean((2, 3))
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x))))))
        if "sfid" in wanted:
            out["sfid"] = self.Mixed_6d.branch1x1(x)[:, :7].permute(0, 2, 3, 1).flatten(1)
        x = self.Mixed_6e(self.Mixed_6d(x))
        out["768"] = x.mean((2, 3))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        out["2048"] = x.mean((2, 3))
        out["logits_unbiased"] = out["2048"] @ self.fc.weight.t()
        out["logits"] = out["logits_unbiased"] + self.fc.bias
        return {name: out[name] for name in wanted}


@register("inception-v3-fid", "features")
class InceptionFid(FeatureExtractor):
    """The 2,048 pool features of FID; any of `OUTPUTS` through `outputs`."""

    id, dim, side = "inception-v3-fid", 2048, SIDE

    def __init__(self, weights: str | Path | None, device: torch.device) -> None:
        path = find_weights("inception-v3-fid", weights)
        with without_init():
            network = FidInception()
        fit(network, read_checkpoint(path), path, self.id)
        self.network = folded(network, (("conv", "bn"),)).to(device)
        packed(self.network, lambda each: each.conv if isinstance(each, Conv) else None, _like_images(device))
        self.device = device
        self.weights_sha256 = file_sha256(path)

    def features(self, images: Tensor, *, resize: str | None = None, scale: str = SCALES[0]) -> Tensor:
        """float32 [B, 2048] of uint8 [B, 3, H, W] images of any size."""
        return self.outputs(images, ("2048",), resize=resize, scale=scale)["2048"]

    @torch.inference_mode()
    def outputs(
        self, images: Tensor, wanted: Sequence[str], *, resize: str | None = None, scale: str = SCALES[0]
    ) -> dict[str, Tensor]:
        """The named outputs; `resize`: a way of encoders.resize, None is TF1's bilinear; `scale`: one of `SCALES`."""
        unknown = [name for name in wanted if name not in OUTPUTS]
        if unknown:
            raise EvalkitError(f"the FID network has no output {unknown[0]!r}; it has {', '.join(OUTPUTS)}")
        if scale not in SCALES:
            raise EvalkitError(f"The FID network has no scale {scale!r}. Use one of {', '.join(SCALES)}.")
        x = resized(self._check(images), SIDE, resize or "tf1-bilinear")
        x = (x - 128) / 128 if scale == SCALES[0] else x / 127.5 - 1
        found: dict[str, Tensor] = self.network(x.contiguous(memory_format=torch.channels_last), wanted)
        return found


def _like_images(device: torch.device) -> Tensor:
    return torch.zeros((1, 3, SIDE, SIDE), device=device).contiguous(memory_format=torch.channels_last)
