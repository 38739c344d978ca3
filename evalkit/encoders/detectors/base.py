"""The contract of detectors, and `load_detector`."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch

from evalkit.encoders.detectors.detection import Boxes
from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.registry import Registry


class Detector(ABC):
    """Finds instances of the classes it knows; what it finds in an image does not depend on the batch.

    `floor`: detections of a lower score are not reported, so rules cannot ask for less. `sees_colors`: whether it names
    the colour of what it finds. `settings`: how images are brought to the network, where that can be chosen.
    """

    id: str
    version: str
    classes: tuple[str, ...]
    weights_sha256: str | None = None
    floor: float = 0.0
    sees_colors: bool = False
    settings: Mapping[str, float] = MappingProxyType({})
    kind: Literal["boxes"] = "boxes"

    @abstractmethod
    def __call__(self, images: Sequence[Pixels]) -> list[Boxes]:
        """What is in each of the uint8 [H, W, 3] images; sizes may differ. The surest instance comes first."""

    @property
    def facts(self) -> dict[str, Any]:
        """What a record says of this detector."""
        return {
            "encoder": self.id,
            "version": self.version,
            "weights_sha256": self.weights_sha256,
            "floor": self.floor,
            **self.settings,
        }


def checked(images: Sequence[Pixels], who: str) -> list[Pixels]:
    """The images as a list. Raises `EvalkitError` for one that is not uint8 [H, W, 3] with at least one pixel."""
    for image in images:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise EvalkitError(
                f"{who} takes uint8 [H, W, 3] images; {image.dtype} {list(image.shape)} was given. Decode it to RGB first"
            )
    return list(images)


Load = Callable[[str | Path | None, torch.device], Detector]


_MODULES = ("evalkit.encoders.detectors.mask2former", "evalkit.encoders.detectors.world")


def _import_detectors() -> None:
    for module in _MODULES:
        importlib.import_module(module)


DETECTORS: Registry[Load] = Registry("detector", _import_detectors, "evalkit.encoders")


def load_detector(name: str, weights: str | Path | None = None, device: str = "auto") -> Detector:
    """The detector called `name`: `mask2former-swin-s`, `world`, or one of another package's entry point.

    Raises `EvalkitError` for an unknown name and `WeightsError` where its weights cannot be had.
    """
    from evalkit.device import pick_device

    return DETECTORS.get(name)(weights, pick_device(device))
