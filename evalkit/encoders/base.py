"""The contract of networks that turn images into features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.registry import Registry


class FeatureExtractor(ABC):
    """Features of images; an image's features do not depend on the batch it comes in."""

    name: str
    dim: int
    side: int
    weights_sha256: str | None = None
    device: torch.device

    @abstractmethod
    def features(self, images: Tensor, *, resize: str | None = None) -> Tensor:
        """float32 [B, dim] of uint8 [B, 3, H, W] images.

        `resize` None is the extractor's own way to its side, else a way of evalkit.encoders.resize.
        """

    def _check(self, images: Tensor) -> Tensor:
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise EvalkitError(
                f"{self.name} takes uint8 [B, 3, H, W] images; {images.dtype} {tuple(images.shape)} was given"
            )
        return images.to(self.device)


def torch_resize(images: Tensor, side: int) -> Tensor:
    """float32 [B, 3, side, side] on the 0..255 scale by torch's antialiased bilinear filter."""
    out = F.interpolate(images.float(), size=(side, side), mode="bilinear", align_corners=False, antialias=True)
    return out


Load = Callable[[str | Path | None, torch.device], FeatureExtractor]


def _import_extractors() -> None:
    from evalkit.encoders import clip, dinov2, efficientnet, inception  # noqa: F401


EXTRACTORS: Registry[Load] = Registry("extractor", _import_extractors)


def load_extractor(name: str, weights: str | Path | None = None, device: str = "auto") -> FeatureExtractor:
    """The feature extractor called `name` (`inception-v3-fid`, `efflite0`, `dinov2-vitl14`, `clip-vitl14`, …).

    Raises `WeightsError` where its weight file cannot be had.
    """
    from evalkit.device import pick_device

    return EXTRACTORS.get(name)(weights, pick_device(device))
