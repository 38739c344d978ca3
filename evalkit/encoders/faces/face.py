"""Where a face is in an image, the contract of what finds it, and faces that are found again in another image."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from evalkit.encoders.base import ImageEncoder, Kind
from evalkit.images.sample import Pixels


@dataclass(frozen=True)
class Face:
    """A box in pixels (`left` and `top` inside, `right` and `bottom` just outside) and its score in [0, 1]."""

    left: int
    top: int
    right: int
    bottom: int
    score: float

    @property
    def side(self) -> int:
        """The shorter side of the box in pixels."""
        return min(self.right - self.left, self.bottom - self.top)

    def overlap(self, other: Face) -> float:
        """Intersection over union of both boxes."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        both = max(0, width) * max(0, height)
        return both / (self._area + other._area - both)

    @property
    def _area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)


class FaceDetector(ImageEncoder[tuple[Face, ...]]):
    """Finds faces; what it finds is a function of the image alone."""

    kind: ClassVar[Kind] = "boxes"

    @abstractmethod
    def find(self, image: Pixels) -> list[Face]:
        """Faces of a uint8 [H, W, 3] RGB image, the surest first."""

    def __call__(self, images: Sequence[Pixels]) -> list[tuple[Face, ...]]:
        """The faces of each image."""
        return [tuple(self.find(image)) for image in images]

    def pack(self, evidence: tuple[Face, ...]) -> Any:
        """A list of boxes."""
        return [asdict(face) for face in evidence]

    def unpack(self, stored: Any) -> tuple[Face, ...]:
        """The faces of a list of boxes."""
        return tuple(Face(**each) for each in stored)


def faces_found_again(faces: list[Face], others: list[Face], overlap: float = 0.5) -> int:
    """How many of `faces` have one of `others` to themselves that overlaps by at least `overlap`."""
    left = list(others)
    found = 0
    for face in faces:
        best = max(left, key=face.overlap, default=None)
        if best is not None and face.overlap(best) >= overlap:
            left.remove(best)
            found += 1
    return found
