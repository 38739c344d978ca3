"""What networks measure of OneIG-Bench's images: style, diversity, and whether an image shows its true answer.

Source: OneIG-Bench/OneIG-Benchmark 41b4983, scripts/style, scripts/diversity and scripts/reasoning. Black images are left
out, and the others are saved as JPEG files before they are looked at, as officially.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from evalkit.device import pick_device
from evalkit.encoders.base import FeatureExtractor
from evalkit.encoders.features.style import CSD, ONEIG
from evalkit.encoders.llm2clip import Llm2Clip
from evalkit.encoders.perceptual.dreamsim import DreamSim
from evalkit.encoders.registry import load_extractor
from evalkit.images.decode import decode_image
from evalkit.images.sample import Pixels
from evalkit.tasks.probe.spread import Array
from evalkit.weights.reading import read_checkpoint

Source = Callable[[str], bytes]  # role -> the bytes of that file
REFERENCES = {CSD: "@scripts/style/CSD_embed.pt", ONEIG: "@scripts/style/SE_embed.pt"}


@dataclass(frozen=True)
class StyleMeasures:
    """Likeness to references of the style, by CSD and by OneIG-Bench's encoder."""

    encoders: Mapping[str, FeatureExtractor]
    references: dict[str, Mapping[str, Tensor]] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        """The networks and their weights."""
        return {name: each.weights_sha256 for name, each in self.encoders.items()}

    def measured(self, image: Pixels, fields: Mapping[str, Any], source: Source) -> dict[str, float]:
        """`style`: the mean of both encoders' largest cosines with the style's references, each from 0."""
        batch, style = _batch(image), str(fields["style"])
        if batch is None:
            return {}
        found = (
            (each.features(batch).cpu() @ self._known(name, source)[style].float().T).max()
            for name, each in self.encoders.items()
        )
        return {"style": fmean(max(float(each), 0.0) for each in found)}

    def _known(self, name: str, source: Source) -> Mapping[str, Tensor]:
        """The references [n, dim] of each style."""
        if name not in self.references:
            with TemporaryDirectory() as folder:
                path = Path(folder) / Path(REFERENCES[name]).name
                path.write_bytes(source(REFERENCES[name]))
                self.references[name] = {key: each.clone() for key, each in read_checkpoint(path).items()}
        return self.references[name]


@dataclass(frozen=True)
class DiversityMeasures:
    """How different the images of one prompt look."""

    network: DreamSim

    @property
    def facts(self) -> dict[str, Any]:
        """The network and its weights."""
        return {self.network.id: self.network.weights_sha256}

    def measured(self, image: Pixels, fields: Mapping[str, Any], source: Source) -> dict[str, float]:
        """Nothing of one image alone."""
        return {}

    def embedding(self, image: Pixels) -> Array | None:
        """DreamSim's embedding of unit length; none of a black image."""
        batch = _batch(image)
        return None if batch is None else self.network.embeddings(batch)[0].cpu().numpy()


@dataclass(frozen=True)
class ReasoningMeasures:
    """How near images are to the true answer in words."""

    scorer: Llm2Clip

    @property
    def facts(self) -> dict[str, Any]:
        """The networks and their weights."""
        return {self.scorer.name: self.scorer.weights_sha256}

    def measured(self, image: Pixels, fields: Mapping[str, Any], source: Source) -> dict[str, float]:
        """`reasoning`: LLM2CLIP's cosine of the image and the answer."""
        batch = _batch(image)
        return {} if batch is None else {"reasoning": float(self.scorer.score(batch, [str(fields["answer"])])[0])}


def load_style(device: str) -> StyleMeasures:
    """Raises `WeightsError` where an encoder is not there."""
    return StyleMeasures({name: load_extractor(name, None, device) for name in REFERENCES})


def load_diversity(device: str) -> DiversityMeasures:
    """Raises `WeightsError` where DreamSim is not there."""
    return DiversityMeasures(DreamSim(None, pick_device(device)))


def load_reasoning(device: str) -> ReasoningMeasures:
    """Raises `WeightsError` where LLM2CLIP is not there."""
    return ReasoningMeasures(Llm2Clip(None, pick_device(device)))


def _batch(image: Pixels) -> Tensor | None:
    """uint8 [1, 3, H, W] of an image that went through a JPEG file; None for a black one."""
    if not image.any():
        return None
    kept = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(kept, "JPEG")
    return torch.from_numpy(np.ascontiguousarray(decode_image(kept.getvalue()).transpose(2, 0, 1)))[None]
