"""Source images, masks and rounds of requests that change an image, as lines of a prompt file state them.

A line may hold `source_image` and `mask` (paths, relative to the prompt file) and `rounds` (earlier instructions).
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
    named = [str(p.meta[name]) for p in prompts.prompts for name in FILES if p.meta.get(name)]
    if not named:
        return None
    digest = hashlib.sha256()
    for name in named:
        digest.update(hashlib.sha256(_read(folder, name)).digest())
    return DataRef("source images", len(named), digest.hexdigest())


def with_sources(request: Request, meta: Mapping[str, Any], folder: Path) -> Request:
    """The request with the images and rounds that its line states; raises `EvalkitError` where one is unusable."""
    pixels: dict[str, Any] = {}
    for name in FILES:
        if meta.get(name):
            try:
                pixels[name] = decode_image(_read(folder, str(meta[name])))
            except BadImage as error:
                raise EvalkitError(f"the {name} of request {request.id!r} is no image: {error}. Give another") from None
    if "mask" in pixels and pixels["mask"].shape != getattr(pixels.get("source_image"), "shape", None):
        raise EvalkitError(
            f"the mask of request {request.id!r} has not the size of its source image. Give one that has"
        )
    rounds = meta.get("rounds") or ()
    if not isinstance(rounds, list | tuple) or not all(isinstance(each, str) for each in rounds):
        raise EvalkitError(f"rounds of request {request.id!r} is no list of instructions. Give texts in their order")
    return replace(request, rounds=tuple(rounds), **pixels) if pixels or rounds else request


def _read(folder: Path, name: str) -> bytes:
    path = folder / Path(name).expanduser()
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise EvalkitError(
            f"the source image {name} cannot be read ({said}). Give its path as seen from the prompts"
        ) from None
