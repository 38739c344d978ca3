"""What is measured of an edit besides a judge's word: the background at 256 px, the edited region by CLIP.

Source: SmartEdit (arXiv:2312.06739), test/metrics_evaluation.py. Its masks are JPEG files that it does not threshold:
the background is weighted by 1 - mask / 255, the box that CLIP sees holds every pixel of the mask above 0, and lacks its
last row and column. Beside that, evalkit-1 calls a pixel edited above 127 and takes the whole box.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from evalkit.encoders.base import PerceptualDistance
from evalkit.encoders.prompt_scorer import PromptScorer, load_prompt_scorer
from evalkit.encoders.registry import load_lpips
from evalkit.errors import WeightsError
from evalkit.images.decode import decode_image
from evalkit.images.geometry import resize_exact
from evalkit.images.sample import Pixels
from evalkit.metrics.image_text import CLIPSCORE_TORCHMETRICS
from evalkit.metrics.psnr import MSE, mse
from evalkit.metrics.ssim import SSIM, ssim
from evalkit.tasks.probe.editing.regions import SIDE, cut_out, grey, only

Image = npt.NDArray[Any]
NETWORKS = ("lpips-squeeze", CLIPSCORE_TORCHMETRICS.name)


@dataclass(frozen=True)
class EditMeasures:
    """The networks that are there; what one of them would measure is left out otherwise."""

    lpips: PerceptualDistance | None = None
    clip: PromptScorer | None = None

    def of(self, source: bytes, mask: bytes, edited: Pixels, text: str) -> dict[str, float]:
        """mse, ssim and lpips of the background, and `clip` (100 x cosine, from 0) of the edited box and `text`.

        As officially, and as `hard_mse`, `hard_ssim`, … with the mask as evalkit-1 reads it.
        """
        before, after = (resize_exact(each, (SIDE, SIDE), "bicubic") for each in (decode_image(source), edited))
        soft = resize_exact(grey(decode_image(mask)), (SIDE, SIDE), "nearest")
        hard, touched = soft > 127, soft > 0
        background = (1 - soft / 255).astype(np.float32)[..., None]
        found = self._kept(*(each.astype(np.float32) / 255 * background for each in (before, after)))
        found |= {f"hard_{name}": value for name, value in self._kept(only(before, ~hard), only(after, ~hard)).items()}
        for name, region, last in (("clip", touched, 0), ("hard_clip", hard, 1)):
            box = cut_out(after, region, last) if region.any() else after[:0]
            if self.clip is not None and box.size:
                found[name] = max(float(self.clip.score(_tensor(box)[None], [text])[0]), 0.0)
        return found

    def measured(self, image: Pixels, fields: Mapping[str, Any], source: Callable[[str], bytes]) -> dict[str, float]:
        """The same of an item's fields and files."""
        return self.of(source("source"), source("mask"), image, str(fields.get("text", "")))

    def _kept(self, before: Image, after: Image) -> dict[str, float]:
        """Measures of two images whose edited region is black in both, uint8 or floats on [0, 1]."""
        found = {MSE.name: mse(before, after), SSIM.name: ssim(before, after, border="reflect")}
        if self.lpips is not None:
            found["lpips"] = float(self.lpips.distance(*(_unit(each)[None] for each in (before, after))))
        return found

    @property
    def facts(self) -> dict[str, Any]:
        """The networks and their weights."""
        used = dict(zip(NETWORKS, (self.lpips, self.clip), strict=True))
        return {"side": SIDE, **{name: each.weights_sha256 for name, each in used.items() if each is not None}}


def load_measures(device: str = "auto") -> EditMeasures:
    """LPIPS with SqueezeNet and CLIP ViT-L/14, each where its weights are."""
    try:
        lpips = load_lpips("squeeze", None, device)
    except WeightsError:
        lpips = None
    try:
        clip = load_prompt_scorer(CLIPSCORE_TORCHMETRICS.name, None, device)
    except WeightsError:
        clip = None
    return EditMeasures(lpips, clip)


def _tensor(image: Image) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def _unit(image: Image) -> Tensor:
    """float32 [3, H, W] on [0, 1]."""
    found = _tensor(image)
    return found if found.is_floating_point() else found.float() / 255
