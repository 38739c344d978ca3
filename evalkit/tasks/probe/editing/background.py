"""How well an edit leaves alone what it was not told to change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from evalkit.encoders.base import PerceptualDistance
from evalkit.images.sample import Pixels
from evalkit.metrics.psnr import mse, psnr
from evalkit.metrics.ssim import ssim
from evalkit.tasks.probe.editing.regions import Region, only


@dataclass(frozen=True)
class RegionScores:
    """PSNR in dB (infinite for equal images), SSIM, and MSE on [0, 1], of two images with one region alone."""

    psnr: float
    ssim: float
    mse: float


def region_scores(source: Pixels, edited: Pixels, region: Region) -> RegionScores:
    """Scores of two uint8 [H, W, 3] images in `region`; for the background give the region that was not edited."""
    a, b = only(source, region), only(edited, region)
    error = mse(a, b)
    return RegionScores(psnr(error), ssim(a, b, border="reflect"), error)


def psnr_of_pixels(source: Pixels, edited: Pixels, region: Region) -> float:
    """PSNR over the pixels of `region` alone, in dB; no benchmark reports it, and it is lower than `region_scores`'."""
    chosen = only(source, region)[region], only(edited, region)[region]
    return psnr(mse(*(np.ascontiguousarray(each)[:, None] for each in chosen)))


def region_lpips(network: PerceptualDistance, source: Pixels, edited: Pixels, region: Region) -> float:
    """LPIPS of two images in `region`, everything else zero; Reason-Edit and PIE-Bench take SqueezeNet."""
    return float(network.distance(_batch(only(source, region)), _batch(only(edited, region))))


def _batch(image: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].float() / 255
