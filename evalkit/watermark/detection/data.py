"""The images that are looked at, as plain data: a reference with their digest, and the set behind it, opened by a worker."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.folder import FolderSet
from evalkit.images.sample import ImageSet
from evalkit.jobs.live import held, hold, is_live
from evalkit.jobs.spec import DataRef

UNREAD = frozenset((".heic", ".heif", ".jxl", ".jp2", ".j2k", ".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".svg"))


@dataclass(frozen=True)
class Looked:
    """An image set while a run is planned: its reference, the set, and `about`, what only the record says of it."""

    ref: DataRef
    images: ImageSet
    about: dict[str, Any]


def looked_at(data: str | Path | ImageSet, limit: int | None) -> Looked:
    """The first `limit` images of `data` (all where it is None); raises `EvalkitError` where there are none."""
    images = data if isinstance(data, ImageSet) else open_images(data)
    n = len(images) if limit is None else min(limit, len(images))
    if not n:
        raise EvalkitError("there is nothing to look at: the image set is empty. Give a set that holds images")
    source = hold(images) if isinstance(data, ImageSet) else str(data)
    ref = DataRef(images.name, n, _digest(images, _states(images, n)), source=source)
    return Looked(ref, images, {"spec": images.spec, "remarks": _remarks(images)})


def opened_images(ref: DataRef) -> tuple[ImageSet, Sequence[str]]:
    """(the set behind a reference, the state of each source); raises `EvalkitError` where they are others now."""
    if ref.source is None:
        raise EvalkitError(f"nothing says where the images {ref.name} lie. Give the run's own images")
    if is_live(ref.source):
        images: ImageSet = held(ref.source)
        return images, _states(images, ref.n)
    images = open_images(ref.source)
    states = _states(images, min(ref.n, len(images)))
    if _digest(images, states) != ref.digest:
        raise EvalkitError(f"the images {ref.source} have changed since the run was planned. Give a fresh --out")
    return images, states


def check_apart(out: Path, images: ImageSet) -> None:
    """Raise where the run would lie within the data, whose next scan would find the run's own images."""
    source = Path(images.spec).expanduser()
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise EvalkitError(f"the run would lie within the data {source} ({out}); give --out of another folder")


def _states(images: ImageSet, n: int) -> list[str]:
    return [images.fingerprint(index) for index in range(n)]


def _digest(images: ImageSet, states: Sequence[str]) -> str:
    """sha256 over ids and source states: it changes when the set changes, and decodes nothing."""
    digest = hashlib.sha256()
    for name, state in zip(images.ids(), states, strict=False):
        digest.update(f"{name}\0{state}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _remarks(images: ImageSet) -> list[str]:
    """What a person should know of files that nobody here reads."""
    folder = Path(images.spec).expanduser()
    if not isinstance(images, FolderSet) or not folder.is_dir():
        return []
    found: Counter[str] = Counter()
    for _, _, files in os.walk(folder):
        found.update(suffix for file in files if (suffix := os.path.splitext(file)[1].lower()) in UNREAD)
    listed = ", ".join(f"{suffix} {count:,}" for suffix, count in sorted(found.items()))
    return [f"files of kinds that cannot be read were not looked at: {listed}"] if found else []
