"""`dreamsim`: how different two images look, by DINO, CLIP and OpenCLIP (ViT-B/16), tuned to people's judgements.

Source: Fu et al. 2023 (arXiv:2306.09344), ssundaram21/dreamsim db4d16c, dreamsim/model.py: the ensemble, whose low-rank
changes are added to the three networks' own weights here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.encoders.base import PerceptualDistance
from evalkit.encoders.features.clip import MEAN, STD
from evalkit.encoders.registry import register
from evalkit.encoders.resize import resized
from evalkit.encoders.vit_dino import IMAGENET, PlainVit, VitSize
from evalkit.errors import DAMAGED, EvalkitError, WeightsError
from evalkit.jsonio import read_json
from evalkit.weights.find import find_weights
from evalkit.weights.layout import fit, without_init
from evalkit.weights.reading import file_sha256, read_checkpoint

NAME, LORA = "dreamsim", "ensemble_lora"
FILES = ("dino_vitbase16_pretrain.pth", "clip_vitb16_pretrain.pth.tar", "open_clip_vitb16_pretrain.pth.tar")
ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")
_LOW = re.compile(r"(?:base_model\.model\.)?extractor_list\.(\d)\.model\.(.+)\.lora_A(?:\.\w+)?\.weight")


@register(NAME, "distance")
class DreamSim(PerceptualDistance):
    """DreamSim's ensemble: 1 minus the cosine of centred embeddings, 0 for equal images and at most 2."""

    def __init__(self, weights: str | Path | None, device: torch.device, *, size: VitSize | None = None) -> None:
        """The folder holds the official zip's files and DINO's own ViT-B/16. `size`: of the networks."""
        folder, plain = find_weights(NAME, weights), size or VitSize()
        adapter = next((path for name in ADAPTERS if (path := folder / LORA / name).is_file()), None)
        if adapter is None:
            raise WeightsError(f"{folder.name} holds no {LORA}/{ADAPTERS[0]}. Unpack the official file into it")
        low, scale = read_checkpoint(adapter), _scale(folder / LORA / "adapter_config.json")
        sizes = (plain, replace(plain, first_norm=True, quick=True), replace(plain, first_norm=True))
        self.networks: list[PlainVit] = []
        self.projections: list[Tensor | None] = []
        for place, (file, each) in enumerate(zip(FILES, sizes, strict=True)):
            state = read_checkpoint(folder / file)
            state = dict(state.get("state_dict", state))
            projection = state.pop("proj", None)
            with without_init():
                network = PlainVit(each)
            fit(network, with_low_rank(state, low, place, scale), folder / file, NAME)
            self.networks.append(network.eval().requires_grad_(False).to(device))
            self.projections.append(None if projection is None else projection.float().to(device))
        self.id, self.device, self.side = NAME, device, plain.side
        used = [*(folder / file for file in FILES), adapter]
        lines = "".join(f"{path.name} {file_sha256(path)}\n" for path in used)
        self.weights_sha256 = hashlib.sha256(lines.encode()).hexdigest()

    @torch.inference_mode()
    def embeddings(self, images: Tensor) -> Tensor:
        """float32 [B, width], centred and of unit length, of uint8 [B, 3, H, W] images."""
        x = resized(images.to(self.device), self.side, "bicubic-8bit") / 255
        found = [self._looked(x, place) for place in range(len(FILES))]
        whole = torch.cat(found, dim=1)
        return F.normalize(whole - whole.mean(1, keepdim=True), dim=1)

    def distance(self, x: Tensor, y: Tensor, *, normalise: bool = True) -> Tensor:
        """float32 [B] of two float batches [B, 3, H, W] on [0, 1], which are brought to 8 bits and 224 x 224."""
        if x.shape != y.shape or x.ndim != 4 or x.shape[1] != 3 or not normalise:
            raise EvalkitError(
                f"{NAME} takes two [B, 3, H, W] batches on [0, 1]; {tuple(x.shape)}, {tuple(y.shape)} given"
            )
        one, two = (self.embeddings((each * 255).round().clamp(0, 255).byte()) for each in (x, y))
        return (1 - (one * two).sum(1)).cpu()

    def _looked(self, x: Tensor, place: int) -> Tensor:
        """A network's part: DINO's class token before the last norm, or a CLIP's projected one."""
        projection = self.projections[place]
        mean, std = IMAGENET if projection is None else (MEAN, STD)
        ready = (x - torch.tensor(mean, device=self.device).view(3, 1, 1)) / torch.tensor(std, device=self.device).view(
            3, 1, 1
        )
        network = self.networks[place]
        if projection is None:
            return network.tokens(ready)[:, 0]
        projected: Tensor = network(ready) @ projection
        return projected


def with_low_rank(
    state: Mapping[str, Tensor], low: Mapping[str, Tensor], place: int, scale: float
) -> dict[str, Tensor]:
    """A network's weights with `scale` times the low-rank changes that an adapter file names for it.

    Raises `WeightsError` where the file changes a weight that is not there, or of another shape.
    """
    found = {key: value.float() for key, value in state.items()}
    for key, down in low.items():
        match = _LOW.fullmatch(key)
        if match is None or int(match.group(1)) != place:
            continue
        name, up = f"{match.group(2)}.weight", low.get(key.replace("lora_A", "lora_B"))
        change = None if up is None else scale * (up.float() @ down.float())
        if change is None or name not in found or found[name].shape != change.shape:
            raise WeightsError(f"{LORA} does not fit the network {FILES[place]}: {name}. Give the official folder")
        found[name] = found[name] + change
    return found


def _scale(path: Path) -> float:
    """The factor of the changes: lora_alpha over rank."""
    said: Any = read_json(path)
    try:
        return float(said["lora_alpha"]) / int(said["r"])
    except DAMAGED:
        raise WeightsError(f"{path.name} names no lora_alpha and r. Give the official folder") from None
