"""The contract of detectors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from evalkit.encoders.base import Encoder, Kind
from evalkit.encoders.detectors.detection import Boxes
from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels


class Detector(Encoder):
    """Finds instances of the classes it knows; what it finds in an image does not depend on the batch.

    `floor`: detections of a lower score are not reported, so rules cannot ask for less. `sees_colors`: whether it names
    the colour of what it finds. `settings`: how images are brought to the network, where that can be chosen.
    """

    kind: ClassVar[Kind] = "boxes"
    classes: tuple[str, ...]
    floor: float = 0.0
    sees_colors: bool = False
    settings: Mapping[str, float] = MappingProxyType({})

    @abstractmethod
    def __call__(self, images: Sequence[Pixels]) -> list[Boxes]:
        """What is in each of the uint8 [H, W, 3] images; sizes may differ. The surest instance comes first."""

    @property
    def facts(self) -> dict[str, Any]:
        """What a record says of this detector."""
        return {**super().facts, "floor": self.floor, **self.settings}


@dataclass(frozen=True)
class Described:
    """What is known of a detector without loading it."""

    weights_sha256: str | None = None
    sees_colors: bool = False


DESCRIPTIONS: dict[str, Callable[[str | Path | None], Described]] = {}  # by canonical name


def checked(images: Sequence[Pixels], who: str) -> list[Pixels]:
    """The images as a list. Raises `EvalkitError` for one that is not uint8 [H, W, 3] with at least one pixel."""
    for image in images:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise EvalkitError(
                f"{who} takes uint8 [H, W, 3] images; {image.dtype} {list(image.shape)} was given. Decode it to RGB first"
            )
    return list(images)
