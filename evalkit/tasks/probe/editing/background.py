"""How well an edit leaves alone what it was not told to change."""

from __future__ import annotations

from dataclasses import dataclass

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
