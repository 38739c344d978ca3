"""The images of a run's samples: which there are, and how a page in another folder reaches them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from evalkit.images.kinds import BROWSER_SUFFIXES
from evalkit.runs.store import Run

SUFFIXES = BROWSER_SUFFIXES
COLUMNS = ("file", "image", "picture")  # of samples.parquet, where there is no images/index.json
NOT_IMAGES = frozenset({"id", "protocol", "kind", "rank", "scores"})  # of images/index.json


@dataclass(frozen=True)
class Images:
    """The images of one kind (original, reconstruction, image), one file a sample or None, in the samples' order."""

    kind: str
    files: list[Path | None]


def sample_images(run: Run, images: Path | None = None) -> list[Images]:
    """The run's images by kind; files outside the run's folder, of other types or gone are None.

    `images` is the folder of the images that the run scored, for those that it does not hold itself: by the name that
    a sample gives, else by its id, with or without the ending.
    """
    reader = _Reader(run.path)
    found = _of_index(run, reader) if run.images else _of_columns(run, reader)
    if images is None:
        return found
    kind = "original" if run.images or run.record.get("task") == "tokenizer" else "image"
    scored = _of_columns(run, _Reader(images)) or [Images("", _Reader(images).named(run.samples["id"].to_pylist()))]
    own = next((each.files for each in found if each.kind == kind), [None] * run.samples.num_rows)
    whole = Images(kind, [mine or other for mine, other in zip(own, scored[0].files, strict=True)])
    return [each for each in (whole, *(other for other in found if other.kind != kind)) if any(each.files)]


def linked(images: Sequence[Images], folder: Path) -> list[dict[str, Any]]:
    """For the page in `folder`: kind, the folder of all addresses where they have the same, and the rest of each."""
    return [_addresses(each.kind, [_address(file, folder) if file else None for file in each.files]) for each in images]


def copied(images: Sequence[Images], folder: Path, name: str) -> list[dict[str, Any]]:
    """As `linked`, of copies in `folder`/images/`name`."""
    made: list[dict[str, Any]] = []
    for each in images:
        addresses: list[str | None] = []
        for number, file in enumerate(each.files):
            if file is None:
                addresses.append(None)
                continue
            target = folder / "pictures" / name / f"{number:07d}-{len(made)}{file.suffix.lower()}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            addresses.append(_address(target, folder))
        made.append(_addresses(each.kind, addresses))
    return made


def address(path: Path, folder: Path) -> str:
    """How a page in `folder` reaches `path`: relative, or absolute where they lie on different drives."""
    try:
        relative = os.path.relpath(path.resolve(), folder.resolve())
    except ValueError:
        return path.resolve().as_uri()
    return quote(os.fsencode(Path(relative).as_posix()))


def _of_columns(run: Run, reader: _Reader) -> list[Images]:
    names = [name for name in COLUMNS if name in run.samples.column_names]
    found = [Images("image", reader.files(run.samples[name].to_pylist())) for name in names]
    return [each for each in found if any(each.files)][:1]


def _of_index(run: Run, reader: _Reader) -> list[Images]:
    keys = _keys(run.samples)
    places = {key: number for number, key in reversed(list(enumerate(keys)))}
    by_kind: dict[str, list[str | None]] = {}
    for entry in run.images:
        place = places.get((str(entry.get("id")), str(entry.get("protocol"))), places.get((str(entry.get("id")), "")))
        if place is None:
            continue
        for kind, file in entry.items():
            if kind not in NOT_IMAGES and isinstance(file, str):
                files = by_kind.setdefault(kind, [None] * len(keys))
                files[place] = files[place] or file
    found = [Images(kind, reader.files(files)) for kind, files in by_kind.items()]
    found.sort(key=lambda each: (each.kind != "original", each.kind != "source", each.kind))
    return [each for each in found if any(each.files)]


def _keys(samples: pa.Table) -> list[tuple[str, str]]:
    """Sample and protocol of each row; no protocol where the run has none."""
    ids = [str(value) for value in samples["id"].to_pylist()]
    if "protocol" not in samples.column_names:
        return [(name, "") for name in ids]
    return list(zip(ids, map(str, samples["protocol"].to_pylist()), strict=True))


def _address(file: Path, folder: Path) -> str:
    return address(file.parent, folder) + "/" + quote(os.fsencode(file.name))


def _addresses(kind: str, found: Sequence[str | None]) -> dict[str, Any]:
    there = [each for each in found if each]
    folders = {each[: each.rfind("/") + 1] for each in there}
    base = folders.pop() if len(folders) == 1 else ""
    return {"kind": kind, "base": base, "files": [None if each is None else each[len(base) :] for each in found]}


class _Reader:
    """Finds a run's files, and looks at each folder once only."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, Path(os.path.realpath(folder))
        self.inside: dict[str, Mapping[str, bool]] = {}

    def files(self, names: Sequence[Any]) -> list[Path | None]:
        """The file of each name, None where it must not or cannot be shown."""
        return [self._file(name) if isinstance(name, str) else None for name in names]

    def named(self, names: Sequence[Any]) -> list[Path | None]:
        """The file called as each name, or as the name with the ending of an image."""
        return [next(filter(None, self.files([f"{name}{end}" for end in ("", *SUFFIXES)])), None) for name in names]

    def _file(self, name: str) -> Path | None:
        if not name.lower().endswith(SUFFIXES):
            return None
        parent, _, last = name.rpartition("/")
        listed = self.inside.get(parent)
        if listed is None:
            listed = self.inside[parent] = self._listed(parent)
        return self.folder / parent / last if listed.get(last) else None

    def _listed(self, parent: str) -> Mapping[str, bool]:
        """Names of the folder's files, and whether each may be shown: a run from elsewhere must not reach out of itself."""
        try:
            place = Path(os.path.realpath(self.folder / parent))
            if not place.is_relative_to(self.root):
                return {}
            with os.scandir(place) as entries:
                return {each.name: each.is_file() and self._own(each) for each in entries}
        except (OSError, ValueError):  # not there, or no name at all (a NUL, too long)
            return {}

    def _own(self, entry: os.DirEntry[str]) -> bool:
        return not entry.is_symlink() or Path(os.path.realpath(entry.path)).is_relative_to(self.root)
