"""What PIE-Bench measures of an edit: structure, the part that was not edited, and the text of the edit by CLIP.

Source: cure-lab/PnPInversion 07f97f4, evaluation/evaluate.py and matrics_calculator.py. It gives DINO images on 0 to 255
where that network was trained on 0 to 1; evalkit-1 gives them as the network wants them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from evalkit.encoders.base import PerceptualDistance
from evalkit.encoders.perceptual.structure import NAME as STRUCTURE
from evalkit.encoders.prompt_scorer import PromptScorer
from evalkit.encoders.registry import load_distance
from evalkit.errors import WeightsError
from evalkit.images.decode import decode_image
from evalkit.images.geometry import resize_exact
from evalkit.images.sample import Pixels
from evalkit.metrics.psnr import MSE, mse
from evalkit.metrics.ssim import SSIM, ssim
from evalkit.tasks.probe.editing.measure import NETWORKS, load_measures
from evalkit.tasks.probe.editing.regions import only, piebench_region

SIDE = 512


@dataclass(frozen=True)
class PieMeasures:
    """The networks that are there; what one of them would measure is left out otherwise."""

    lpips: PerceptualDistance | None = None
    clip: PromptScorer | None = None
    structure: PerceptualDistance | None = None

    def measured(self, image: Pixels, fields: Mapping[str, Any], source: Callable[[str], bytes]) -> dict[str, float]:
        """mse, ssim and lpips with the edited region black in both images; `clip_whole` and `clip_edited` of the text;
        `structure` of both whole images, and `hard_structure` as evalkit-1 measures it.

        Nothing of the background where the whole image is edited, as officially.
        """
        before, after = (
            resize_exact(each, (SIDE, SIDE), "bicubic") for each in (decode_image(source("source")), image)
        )
        region, found = piebench_region(fields["mask"], SIDE, SIDE), {}
        if not region.all():
            pair = [only(each, ~region).astype(np.float32) / 255 for each in (before, after)]
            found = {MSE.name: mse(*pair), SSIM.name: ssim(*pair, border="reflect")}
            if self.lpips is not None:
                found["lpips"] = float(self.lpips.distance(*(_batch(each) for each in pair)))
        if self.structure is not None:
            one, two = (_batch(each).float() for each in (before, after))
            for name, scale in (("structure", 1), ("hard_structure", 255)):
                found[name] = float(self.structure.distance(one / scale, two / scale))
        if self.clip is not None:
            seen = {"clip_whole": after, "clip_edited": only(after, region)}
            found |= {
                name: max(float(self.clip.score(_batch(x), [str(fields["told"])])[0]), 0.0) for name, x in seen.items()
            }
        return found

    @property
    def facts(self) -> dict[str, Any]:
        """The networks and their weights."""
        used = dict(zip((*NETWORKS, STRUCTURE), (self.lpips, self.clip, self.structure), strict=True))
        return {"side": SIDE, **{name: each.weights_sha256 for name, each in used.items() if each is not None}}


def load_pie(device: str = "auto") -> PieMeasures:
    """LPIPS with SqueezeNet, CLIP ViT-L/14 and DINO ViT-B/8, each where its weights are."""
    found = load_measures(device)
    try:
        structure = load_distance(STRUCTURE, None, device)
    except WeightsError:
        structure = None
    return PieMeasures(found.lpips, found.clip, structure)


def _batch(image: np.ndarray[Any, Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
