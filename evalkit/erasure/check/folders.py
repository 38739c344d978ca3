"""Images that were made elsewhere: which prompt each of them is of, and which images of both folders belong together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evalkit.erasure.check.items import DIRECT, RETAIN, Item
from evalkit.erasure.check.seen import asked
from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.sample import ImageSet
from evalkit.runs.store import RECORD, Run, read_run

FEW, FEW_DIRECT = 4, 16  # prompts of a retained concept, and of the erased one, whose features are taken
CONTROLLED = 2, 24  # the same of those that the controls draw


@dataclass(frozen=True)
class Unit:
    """One image of each model: of a prompt, with a number; `place` is where it stands in a folder, None where it is made."""

    item: Item
    sample: int
    place: int | None = None


@dataclass(frozen=True)
class Folder:
    """Images with, where evalkit made them, the prompt of each by its name."""

    images: ImageSet
    prompts: Mapping[str, str]
    run: Run | None = None


def featured(units: Sequence[Unit], known: Sequence[str]) -> frozenset[int]:
    """Places of the units whose features say how far concepts lie apart."""
    return few_of_each(units, known, FEW, FEW_DIRECT)


def few_of_each(units: Sequence[Unit], known: Sequence[str], few: int, direct_few: int) -> frozenset[int]:
    """Places of one image each of a `few` prompts of each retained concept, and of `direct_few` of the erased one."""
    count: dict[str, int] = {}
    found = []
    for place, unit in enumerate(units):
        direct = unit.item.subset == DIRECT
        if unit.sample or not (direct or unit.item.subset == RETAIN):
            continue
        name = "" if direct else " + ".join(asked(known, unit.item.prompt).labels)
        count[name] = count.get(name, 0) + 1
        if count[name] <= (direct_few if direct else few):
            found.append(place)
    return frozenset(found)


def open_folder(path: str | Path) -> Folder:
    """A folder of images, or a run of `evalkit generate`."""
    folder = Path(path).expanduser()
    if not (folder / RECORD).is_file():
        return Folder(open_images(str(path)), {})
    run = read_run(folder)
    if "file" not in run.samples.column_names or not (folder / "images").is_dir():
        raise EvalkitError(f"{folder} is a run that kept no images. Give a run of evalkit generate, or a folder")
    rows = run.samples.select(["file", "prompt"]).to_pylist()
    names = {str(PurePosixPath(row["file"]).relative_to("images")): row["prompt"] for row in rows if row["file"]}
    return Folder(open_images(folder / "images"), names, run)


def units_of_folders(before: Folder, after: Folder, items: Sequence[Item]) -> tuple[Unit, ...]:
    """The images that both folders have, in the order of the items.

    A name is `<id or number of the item>`, with `_<number of the image>` or a folder of the item's around it; images of
    a run know their prompts. Raises `EvalkitError` where one folder has images that the other lacks, and for a name that
    belongs to no prompt.
    """
    mine, theirs = list(before.images.ids()), list(after.images.ids())
    if set(mine) != set(theirs):
        lone = sorted(set(mine) ^ set(theirs))
        raise EvalkitError(
            f"the folders do not hold the same images: {len(mine):,} before, {len(theirs):,} after, and {lone[0]} is in one "
            "of them only. Give both models' images under equal names"
        )
    if mine != theirs:
        raise EvalkitError("the folders list their images in different orders. Give two folders of one layout")
    known = {item.id: item for item in items} | {f"{i}": item for i, item in enumerate(items)}
    texts = {item.prompt: item for item in items}
    found = []
    counted: dict[str, int] = {}
    for place, name in enumerate(mine):
        item = texts.get(before.prompts.get(name, "")) if before.prompts else _named(name, known)
        if item is None and not before.prompts:
            raise EvalkitError(
                f"the image {name} belongs to no prompt of the pairs. Name images <number of the prompt>_<k>.png"
            )
        if item is not None:
            found.append(Unit(item, counted.get(item.id, 0), place))
            counted[item.id] = counted.get(item.id, 0) + 1
    order = {item.id: i for i, item in enumerate(items)}
    return tuple(sorted(found, key=lambda unit: (order[unit.item.id], unit.sample)))


def _named(name: str, known: Mapping[str, Item]) -> Item | None:
    stem = str(PurePosixPath(name).with_suffix(""))
    parts = [stem, stem.partition("/")[0], re.sub(r"[-_]\d+$", "", stem), PurePosixPath(stem).name]
    keys = [key for part in parts for key in (part, part.lstrip("0") or "0")]
    return next((known[key] for key in keys if key in known), None)
