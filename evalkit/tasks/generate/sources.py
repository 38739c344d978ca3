"""Source images, masks and rounds of requests that change an image, as lines of a prompt file state them.

A line may hold `source_image` and `mask` (paths, relative to the prompt file), `rounds` (earlier instructions) and
`negative_prompt`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.errors import BadImage, EvalkitError
from evalkit.generators.base import Request
from evalkit.images.decode import decode_image
from evalkit.jobs.spec import DataRef
from evalkit.prompts.prompt import PromptSet

FILES = ("source_image", "mask")


def folder_of(source: str | None) -> Path:
    """Where the paths of a prompt file begin; those of other sources begin where the command is typed."""
    path = Path(source or "").expanduser()
    return path.parent if path.is_file() else Path()


def sources_ref(prompts: PromptSet, folder: Path) -> DataRef | None:
    """A reference to all source images and masks, by their bytes; None where no prompt has one.

    Raises `EvalkitError` for a file that cannot be read.
    """
    named = [path for p in prompts.prompts for path in _named(p.meta).values()]
    if not named:
        return None
    digest = hashlib.sha256()
    for name in named:
        digest.update(hashlib.sha256(_read(folder, name)).digest())
    return DataRef("source images", len(named), digest.hexdigest())


def with_sources(request: Request, meta: Mapping[str, Any], folder: Path) -> Request:
    """The request with the images, rounds and negative prompt that its line states.

    Raises `EvalkitError` where one is unusable.
    """
    pixels: dict[str, Any] = {}
    for name, path in _named(meta).items():
        try:
            pixels[name] = decode_image(_read(folder, path))
        except BadImage as error:
            raise EvalkitError(f"the {name} of request {request.id!r} is no image: {error}. Give another") from None
    if "mask" in pixels and pixels["mask"].shape != pixels["source_image"].shape:
        raise EvalkitError(
            f"the mask of request {request.id!r} has not the size of its source image. Give one that has"
        )
    rounds = (meta.get("rounds") or ()) if pixels else ()
    if not isinstance(rounds, list | tuple) or not all(isinstance(each, str) for each in rounds):
        raise EvalkitError(f"rounds of request {request.id!r} is no list of instructions. Give texts in their order")
    negative = meta.get("negative_prompt")
    if negative is not None and not isinstance(negative, str):
        raise EvalkitError(f"the negative_prompt of request {request.id!r} is no text. Give a text, or leave it out")
    if not pixels and negative is None:
        return request
    return replace(request, rounds=tuple(rounds), negative=negative, **pixels)


def _named(meta: Mapping[str, Any]) -> dict[str, str]:
    """Paths by what they are; a line without a source image may use the other names as it likes."""
    return {name: str(meta[name]) for name in FILES if meta.get(name)} if meta.get("source_image") else {}


def _read(folder: Path, name: str) -> bytes:
    path = folder / Path(name).expanduser()
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise EvalkitError(
            f"the source image {name} cannot be read ({said}). Give its path as seen from the prompts"
        ) from None
