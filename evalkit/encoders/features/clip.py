"""CLIP image embeddings (Radford et al. 2021, arXiv:2103.00020) by open_clip's network, with OpenAI's weights.

`clip-vitl14` is what CMMD looks through (Jayasumana et al. 2024, arXiv:2401.09603; google-research/cmmd): ViT-L/14 at
336 px, torch's bicubic filter without antialiasing, embeddings of unit length. CMMD's own reader brings images to 336 px
before (`resize="square-bicubic"`), which leaves nothing for that filter to do. `clip-vitb32` is what CLIP-FID looks
through (Kynkäänniemi et al. 2023, arXiv:2203.06026; GaParmar/clean-fid): ViT-B/32 at 224 px, Pillow's bicubic filter on
the shorter side and the centre square, embeddings as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.encoders.base import FeatureExtractor
from evalkit.encoders.interpolate import interpolated
from evalkit.encoders.registry import register
from evalkit.encoders.resize import resized
from evalkit.errors import WeightsError
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, without_init
from evalkit.weights.reading import file_sha256, read_checkpoint

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ClipRule:
    """`model`: open_clip's name of the network; `plain`: torch's bicubic filter to the square, else Pillow's and a crop."""

    model: str
    plain: bool
    unit: bool


RULES = {
    "clip-vitl14": ClipRule("ViT-L-14-336", plain=True, unit=True),
    "clip-vitb32": ClipRule("ViT-B-32", plain=False, unit=False),
}


class ClipFeatures(FeatureExtractor):
    """Projected image embeddings [B, width] of OpenAI's CLIP; only the image half of the file is loaded."""

    def __init__(
        self,
        weights: str | Path | None,
        device: torch.device,
        *,
        name: str,
        rule: ClipRule,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        """`config`: sizes in open_clip's form where they are not those of `rule.model`."""
        path = find_weights(name, weights)
        config = config or _open_clip().get_model_config(rule.model)
        network = image_half(config)
        state = read_checkpoint(path)
        image = {key.removeprefix("visual."): each for key, each in state.items() if key.startswith("visual.")}
        if not image:
            raise WeightsError(
                f"{path.name} holds no parameter named visual.…; {name} takes a CLIP file in open_clip's layout, such "
                "as open_clip_model.safetensors"
            )
        fit(network, image, path, name)
        self.id, self.dim, self.side = name, int(config["embed_dim"]), int(config["vision_cfg"]["image_size"])
        self.rule = rule
        self.network = network.eval().requires_grad_(False).to(device)
        self.device = device
        self.weights_sha256 = file_sha256(path)

    @torch.inference_mode()
    def features(self, images: Tensor, *, resize: str | None = None) -> Tensor:
        """float32 [B, dim] of uint8 [B, 3, H, W] images of any size; of unit length where the rule says so."""
        out: Tensor = self.network(self.prepared(images, resize=resize))
        return F.normalize(out, dim=1) if self.rule.unit else out

    def prepared(self, images: Tensor, *, resize: str | None = None) -> Tensor:
        """The network's input [B, 3, side, side]."""
        x = self._check(images)
        if resize is None and self.rule.plain:
            x = interpolated(x, (self.side, self.side), "bicubic") / 255
        else:
            x = resized(x, self.side, resize or "clip") / 255
        mean, std = (torch.tensor(values, device=self.device).view(3, 1, 1) for values in (MEAN, STD))
        return (x - mean) / std


def _open_clip() -> Any:
    import open_clip  # slow to import, and needed by few

    return open_clip


def image_half(config: Mapping[str, Any], *, quick: bool = True) -> nn.Module:
    """The image tower, with OpenAI's activation if `quick`; the text tower is built (untouched memory) and dropped."""
    with without_init():
        whole = _open_clip().CLIP(
            config["embed_dim"], dict(config["vision_cfg"]), dict(config["text_cfg"]), quick_gelu=quick
        )
    tower: nn.Module = whole.visual
    return tower


for _name, _rule in RULES.items():
    register(_name, "features")(partial(ClipFeatures, name=_name, rule=_rule))
