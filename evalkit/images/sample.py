"""What an image set is: an ordered list of ids, and images that are read when they are needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Sample:
    """One image: a stable `id`, `image` uint8 [H, W, 3] sRGB, the `sha256` of its source bytes, and what is known of it.

    Known `meta` keys: `text` (the true text in the image), `script` (Latin, Devanagari, …), `subset`
    (photos, textures, text-easy, …), `task` (reconstruction, detail, text). `source`: what the file was, where there was
    one (format, mode, animated, orientation).
    """

    id: str
    image: Pixels
    sha256: str
    meta: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Unreadable:
    """An image that could not be read, with the reason in one sentence."""

    id: str
    reason: str
    sha256: str | None = None


class ImageSet(ABC):
    """An ordered set of images; listing it decodes nothing and reading it keeps memory flat."""

    spec: str
    name: str

    @abstractmethod
    def ids(self) -> Sequence[str]:
        """Every sample's id in the set's fixed order (relative path, archive member or row number)."""

    @abstractmethod
    def fingerprint(self, index: int) -> str:
        """A cheap string that changes when the image's source changes (size and time of a file, row of a revision)."""

    @abstractmethod
    def read(self, start: int, stop: int, *, threads: int = 2) -> Iterator[Sample | Unreadable]:
        """The samples `start` to `stop` (exclusive) in order, decoded ahead by `threads` threads with a bounded queue."""

    def __len__(self) -> int:
        return len(self.ids())
