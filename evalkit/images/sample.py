"""What an image set is: an ordered list of ids, and images that are read when they are needed."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.jsonio import canonical_json
from evalkit.text import counted, visible

Pixels = npt.NDArray[np.uint8]
Admit = Callable[[int], None]  # is told a number of pixels before they are decoded, and may wait
MISSING = "missing"  # the fingerprint of a source that cannot be read
NAMED = 3  # of many names, so many are listed


@dataclass(frozen=True)
class Sample:
    """One image: a stable `id`, `image` uint8 [H, W, 3] sRGB, the `sha256` of its source bytes, and what is known of it.

    Known `meta` keys: `text` (the true text in the image), `script` (Latin, Devanagari, …), `subset`
    (photos, textures, text-easy, …), `task` (reconstruction, detail, text). `source`: what the file was, where there was
    one (format, mode, animated, orientation). Where the source is an array, the sha256 is that of `array_sha256`.
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


Load = Callable[[Admit], Sample | Unreadable]  # reads one image, in any thread


class ImageSet(ABC):
    """An ordered set of images; listing it decodes nothing and reading it keeps memory flat.

    `name` is a label and decides nothing. `skipped`: how many entries of the source are not images that are read, by
    kind. `unmatched`: names in metadata that no image has. `revision`: what the hub calls the data's state.
    """

    spec: str
    name: str
    skipped: Mapping[str, int] = MappingProxyType({})
    unmatched: Sequence[str] = ()
    revision: str | None = None

    @abstractmethod
    def ids(self) -> Sequence[str]:
        """Every sample's id in the set's fixed order (relative path, archive member or row number)."""

    @abstractmethod
    def fingerprint(self, index: int) -> str:
        """What tells the image's content from any other: the sha256 of its source, or a row of a fixed revision."""

    @abstractmethod
    def read(self, start: int, stop: int, *, threads: int = 2) -> Iterator[Sample | Unreadable]:
        """The samples `start` to `stop` (exclusive) in order, decoded ahead by `threads` threads with a bounded queue."""

    def loads(self, start: int, stop: int) -> Iterator[Load] | None:
        """How each of the samples `start` to `stop` is read, by whoever works on it; None where `read` alone can say.

        They are drawn in order, by one thread.
        """
        return None

    def __len__(self) -> int:
        return len(self.ids())

    def fingerprints(self, count: int | None = None) -> list[str]:
        """The fingerprints of the first `count` images (all by default), made together."""
        return [self.fingerprint(index) for index in range(len(self) if count is None else count)]

    def digest(self, count: int | None = None) -> str:
        """`content_digest` of the first `count` images. The same images in another folder or archive have the same."""
        return content_digest(zip(self.ids(), self.fingerprints(count), strict=False))

    def known(self, index: int) -> Mapping[str, Any]:
        """What is known of the image beside its pixels, where that is not part of its fingerprint; nothing is decoded."""
        return {}

    def listing(self, count: int | None = None) -> str:
        """sha256 over the ids of the first `count` images and what is known of each: texts, subsets, tasks."""
        digest = hashlib.sha256()
        for index, id in enumerate(self.ids()[:count]):
            digest.update(canonical_json([id, dict(self.known(index))]) + b"\n")
        return digest.hexdigest()

    def remarks(self) -> list[str]:
        """What a person should know of the set before it is used: what was left out, and what matches nothing."""
        said = []
        if self.skipped:
            kinds = ", ".join(f"{n:,} {visible(kind)}" for kind, n in sorted(self.skipped.items()))
            said.append(f"left out, not read as images: {counted(sum(self.skipped.values()), 'file')} ({kinds})")
        if self.unmatched:
            names = ", ".join(visible(each, 80) for each in self.unmatched[:NAMED])
            more = ", …" if len(self.unmatched) > NAMED else ""
            said.append(f"metadata without its image: {counted(len(self.unmatched), 'row')} ({names}{more})")
        return said

    def as_record(self) -> dict[str, Any]:
        """What a run's record says of the set beside its name, size and digest."""
        return {
            "skipped": dict(sorted(self.skipped.items())),
            "unmatched": len(self.unmatched),
            "revision": self.revision,
        }


def content_digest(images: Iterable[tuple[str, str | None]]) -> str:
    """sha256 over the sha256 of each image in the order of their ids; of what cannot be read a dash counts.

    >>> content_digest([("b", "22"), ("a", "11")]) == content_digest([("1", "11"), ("2", "22")])
    True
    """
    digest = hashlib.sha256()
    for _, sha256 in sorted(images, key=lambda each: each[0]):
        digest.update(f"{sha256 if sha256 and sha256 != MISSING else '-'}\n".encode())
    return digest.hexdigest()


def array_sha256(array: npt.NDArray[Any]) -> str:
    """sha256 of an array's type, shape and values in C order."""
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}\n".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
