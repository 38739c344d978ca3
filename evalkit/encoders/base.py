"""The contract of networks that look at images, and the evidence that each kind of them gives.

An encoder has `id`, `version`, `weights_sha256` and `kind`; calling it with uint8 [H, W, 3] images gives one piece of
evidence for each. An image's evidence does not depend on the batch it comes in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.moved import moved

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Kind = Literal["features", "distance", "text", "boxes", "answer", "label", "codes"]
Vector = np.ndarray[Any, np.dtype[np.float32]]
E = TypeVar("E")


class Encoder(ABC):
    """What a record and the evidence cache need to know of a network.

    `version`: changes with whatever changes the evidence besides the weights, such as the library or the way to the
    network's input. `weights_sha256`: None where nobody knows the weights, such as behind an endpoint.
    """

    kind: ClassVar[Kind]
    id: str
    version: str = "1"
    weights_sha256: str | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What a record says of this encoder."""
        return {"encoder": self.id, "version": self.version, "weights_sha256": self.weights_sha256}


class ImageEncoder(Encoder, Generic[E]):
    """An encoder of single images, whose evidence can be kept: `unpack(pack(evidence))` equals `evidence`."""

    @abstractmethod
    def __call__(self, images: Sequence[Pixels]) -> list[E]:
        """The evidence of each of the uint8 [H, W, 3] images; sizes may differ."""

    @abstractmethod
    def pack(self, evidence: E) -> Any:
        """The evidence as JSON data."""

    @abstractmethod
    def unpack(self, stored: Any) -> E:
        """The evidence that `pack` was given."""


class FeatureExtractor(ImageEncoder[Vector]):
    """Features of images, float32 [dim]."""

    kind: ClassVar[Kind] = "features"
    dim: int
    side: int
    device: torch.device

    @abstractmethod
    def features(self, images: Tensor, *, resize: str | None = None) -> Tensor:
        """float32 [B, dim] of uint8 [B, 3, H, W] images.

        `resize` None is the extractor's own way to its side, else a way of evalkit.encoders.resize.
        """

    def __call__(self, images: Sequence[Pixels]) -> list[Vector]:
        """float32 [dim] of each image, by the extractor's own way to its side."""
        import torch

        rows = (torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None] for image in images)
        return [self.features(row)[0].cpu().numpy() for row in rows]

    def pack(self, evidence: Vector) -> Any:
        """The numbers, which JSON holds exactly."""
        return evidence.tolist()

    def unpack(self, stored: Any) -> Vector:
        """float32 [dim]."""
        return np.asarray(stored, np.float32)

    def _check(self, images: Tensor) -> Tensor:
        import torch

        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise EvalkitError(
                f"{self.id} takes uint8 [B, 3, H, W] images; {images.dtype} {tuple(images.shape)} was given"
            )
        return images.to(self.device)


class PerceptualDistance(Encoder):
    """Perceived differences of pairs of images."""

    kind: ClassVar[Kind] = "distance"

    @abstractmethod
    def distance(self, x: Tensor, y: Tensor, *, normalise: bool = True) -> Tensor:
        """float32 [B] distances of float images [B, 3, H, W] on [0, 1]; 0 for equal images.

        `normalise` maps them to the range that the network was trained on; False feeds them as they are.
        """


@dataclass(frozen=True)
class OcrText:
    """What was read: `lines` from top to bottom and left to right, their `scores` in [0, 1], and `text` joined by newlines."""

    lines: tuple[str, ...]
    scores: tuple[float, ...]

    @property
    def text(self) -> str:
        """All lines, one below the other."""
        return "\n".join(self.lines)


class Ocr(ImageEncoder[OcrText]):
    """A reader of text; `read` never raises on an odd image, it reads nothing in it."""

    kind: ClassVar[Kind] = "text"

    @abstractmethod
    def read(self, image: Pixels) -> OcrText:
        """The text of a uint8 [H, W, 3] RGB image."""

    def __call__(self, images: Sequence[Pixels]) -> list[OcrText]:
        """The text of each image."""
        return [self.read(image) for image in images]

    def pack(self, evidence: OcrText) -> Any:
        """Lines and scores."""
        return asdict(evidence)

    def unpack(self, stored: Any) -> OcrText:
        """The text with these lines and scores."""
        return OcrText(tuple(stored["lines"]), tuple(stored["scores"]))


def __getattr__(name: str) -> object:
    """Names that had their home here before."""
    return moved(__name__, name)
