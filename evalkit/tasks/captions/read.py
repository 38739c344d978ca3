"""Files of captions: JSON lines or COCO's JSON, with the image and one caption in each entry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jobs.spec import DataRef
from evalkit.jsonio import read_json, read_json_lines
from evalkit.weights.reading import file_sha256

FIELDS = "id or image_id, and caption"


@dataclass(frozen=True)
class Captions:
    """Captions by image: texts are ids of images, with or without ending; whole numbers those that end a file's name."""

    by_image: Mapping[str | int, tuple[str, ...]]

    def of(self, id: str) -> tuple[str, ...]:
        """The captions of an image; none where the file has none."""
        plain = str(PurePosixPath(id).with_suffix(""))
        number = re.search(r"[0-9]{1,18}$", plain)
        keys: tuple[str | int, ...] = (id, plain, *([] if number is None else [int(number[0])]))
        return next((self.by_image[key] for key in keys if key in self.by_image), ())


def read_captions(path: Path, *, single: bool = False) -> Captions:
    """The captions of a file; raises `EvalkitError` where an entry is wrong, or an image has two and `single` is asked."""
    if not path.is_file():
        raise EvalkitError(f"{path} is not there. Give a file of entries with {FIELDS}")
    found: dict[str | int, tuple[str, ...]] = {}
    for number, row in _entries(path):
        image = row.get("image_id", row.get("id")) if isinstance(row, dict) else None
        caption = row.get("caption") if isinstance(row, dict) else None
        if not isinstance(image, str | int) or isinstance(image, bool) or not isinstance(caption, str):
            raise EvalkitError(f"entry {number} of {path} lacks a field. Give {FIELDS}, a text")
        if single and image in found:
            raise EvalkitError(f"{path} holds two captions of {image}. Give one caption an image")
        found[image] = (*found.get(image, ()), caption)
    if not found:
        raise EvalkitError(f"{path} holds no captions. Give a file of entries with {FIELDS}")
    return Captions(found)


def captions_ref(path: Path, captions: Captions) -> DataRef:
    """The file as an input of a plan."""
    return DataRef(path.stem, len(captions.by_image), file_sha256(path), source=str(path))


def planned_captions(ref: DataRef) -> Captions:
    """The captions behind an input of a plan; raises `EvalkitError` where the file is another one now."""
    path = Path(str(ref.source))
    if not path.is_file() or file_sha256(path) != ref.digest:
        raise EvalkitError(f"the captions {path} are not those of the plan. Give a fresh --out")
    return read_captions(path)


def _entries(path: Path) -> Iterator[tuple[int, Any]]:
    if path.suffix.lower() != ".json":
        return read_json_lines(path)
    held = read_json(path)
    rows = held.get("annotations") if isinstance(held, dict) else held
    if not isinstance(rows, list):
        raise EvalkitError(f"{path} is no list of captions. Give a list, or COCO's object with annotations")
    return iter(enumerate(rows, 1))
