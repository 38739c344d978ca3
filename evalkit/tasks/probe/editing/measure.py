"""What is measured of an edit besides a judge's word: the background at 256 px, the edited region by CLIP.

Source: SmartEdit (arXiv:2312.06739), test/metrics_evaluation.py. Its masks are JPEG files that it does not threshold;
here a pixel is edited above 127, so that values differ where a mask's border is soft.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from evalkit.encoders.base import PerceptualDistance
from evalkit.encoders.prompt_scorer import PromptScorer, load_prompt_scorer
from evalkit.encoders.registry import load_lpips
from evalkit.errors import WeightsError
from evalkit.images.decode import decode_image
from evalkit.images.sample import Pixels
from evalkit.tasks.probe.editing.background import region_lpips, region_scores
from evalkit.tasks.probe.editing.regions import SIDE, cut_out, to_side


@dataclass(frozen=True)
class EditMeasures:
    """The networks that are there; what one of them would measure is left out otherwise."""

    lpips: PerceptualDistance | None = None
    clip: PromptScorer | None = None

    def of(self, source: bytes, mask: bytes, edited: Pixels, text: str) -> dict[str, float]:
        """mse, ssim and lpips of the background, and `clip` (100 x cosine, from 0) of the edited box and `text`."""
        region = decode_image(mask)[..., 0] > 127
        before, _ = to_side(decode_image(source), region)
        after, small = to_side(edited, region)
        kept = region_scores(before, after, ~small)
        found = {"mse": kept.mse, "ssim": kept.ssim}
        if self.lpips is not None:
            found["lpips"] = region_lpips(self.lpips, before, after, ~small)
        if self.clip is not None and small.any():
            box = torch.from_numpy(np.ascontiguousarray(cut_out(after, small).transpose(2, 0, 1)))[None]
            found["clip"] = max(float(self.clip.score(box, [text])[0]), 0.0)
        return found

    @property
    def facts(self) -> dict[str, Any]:
        """The networks and their weights."""
        used = {"lpips-squeeze": self.lpips, "clipscore_torchmetrics": self.clip}
        return {"side": SIDE, **{name: each.weights_sha256 for name, each in used.items() if each is not None}}


def load_measures(device: str = "auto") -> EditMeasures:
    """LPIPS with SqueezeNet and CLIP ViT-L/14, each where its weights are."""
    try:
        lpips = load_lpips("squeeze", None, device)
    except WeightsError:
        lpips = None
    try:
        clip = load_prompt_scorer("clipscore_torchmetrics", None, device)
    except WeightsError:
        clip = None
    return EditMeasures(lpips, clip)
