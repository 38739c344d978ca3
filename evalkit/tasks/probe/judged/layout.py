"""Images of a judged suite by the names that the benchmark gives them; of a grid every part is one image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.protocols.judged.declaration import ImageRule
from evalkit.tasks.probe.judged.items import JudgedItem
from evalkit.tasks.probe.judged.templates import fill_in
from evalkit.tasks.probe.layout import PlacedImage

LONGEST = 240  # bytes of one part of a name, which file systems hold with an extension


def read_named(folder: Path, rule: ImageRule, items: Sequence[JudgedItem]) -> list[PlacedImage]:
    """The images below `folder` that items name, in the items' order. Raises `EvalkitError` where none is there."""
    if not folder.is_dir():
        raise EvalkitError(f"{folder} is no folder. Give a folder of images")
    found = [each for item in items for each in _of_item(folder, rule, item)]
    owners: dict[Path, str] = {}
    for each in found:
        if owners.setdefault(each.path, each.prompt) != each.prompt:
            raise EvalkitError(f"{each.path.name} is of two items by its name. Give the official data")
    if not found:
        first = image_name(rule, items[0], 0)
        raise EvalkitError(
            f"{folder} has no image of this suite, whose first is {first}. Name images as the suite does"
        )
    return found


def image_name(rule: ImageRule, item: JudgedItem, sample: int) -> str:
    """The name of an image below the folder, with its first extension."""
    return _stem(rule.name, item.metadata, sample) + f".{rule.extensions[0]}"


def source_name(template: str, item: JudgedItem) -> str:
    """The name of a role's file below the folder of source images."""
    return _stem(template, item.metadata, 0)


def source_path(folder: Path, template: str, item: JudgedItem) -> Path:
    """The file of a role, such as the image that an edit starts from. Raises `EvalkitError` where it is not there."""
    path = folder / source_name(template, item)
    if not path.is_file():
        raise EvalkitError(f"{path} of item {item.id} is missing. Give the folder of source images: --sources DIR")
    return path


def _of_item(folder: Path, rule: ImageRule, item: JudgedItem) -> Iterator[PlacedImage]:
    if rule.grid > 1:
        path = _file(folder, rule, item, 0)
        if path is not None:
            for part in range(rule.grid**2):
                yield PlacedImage(path, item.id, part, (rule.grid, part))
        return
    for sample in range(rule.samples):
        path = _file(folder, rule, item, sample)
        if path is not None:
            yield PlacedImage(path, item.id, sample)


def _file(folder: Path, rule: ImageRule, item: JudgedItem, sample: int) -> Path | None:
    stem = _stem(rule.name, item.metadata, sample)
    paths = (folder / f"{stem}.{extension}" for extension in rule.extensions)
    return next((path for path in paths if path.is_file()), None)


def _stem(template: str, fields: Mapping[str, Any], sample: int) -> str:
    try:
        stem = fill_in(template, {**fields, "sample": sample, "number": sample + 1})
    except EvalkitError:
        raise
    except DAMAGED as error:
        raise EvalkitError(f"the images' names need the field {error}. Give the official data") from None
    if "\0" in stem or any(len(part.encode("utf-8", "replace")) > LONGEST for part in Path(stem).parts):
        raise EvalkitError(f"the name {stem[:60]!r}… of an image is too long for a file. Mend the suite's file")
    if ".." in Path(stem).parts or Path(stem).is_absolute():
        raise EvalkitError(f"the data name an image {stem!r} outside of the folder. Give the official data")
    return stem
