"""Chains of edits in a folder: NAME/0.png, the image that a chain starts from, then 1.png, 2.png, …

Where an edit asks for no change, or mask-K.png marks what edit K may change, drift is unasked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.images.kinds import BMP, JPEG, PNG, WEBP
from evalkit.runs.plain import plain_sha256

SUFFIXES = tuple(suffix for kind in (PNG, JPEG, WEBP, BMP) for suffix in kind.suffixes)


@dataclass(frozen=True)
class Chain:
    """The images of a chain in the order of rounds, the first one it starts from; masks by round."""

    name: str
    images: tuple[Path, ...]
    masks: Mapping[int, Path]


def list_chains(folder: Path, limit: int | None = None) -> tuple[Chain, ...]:
    """The first `limit` chains below `folder` by name; raises `EvalkitError` where there is none, or lengths differ."""
    homes = (
        [each for each in sorted(folder.iterdir()) if each.is_dir() and not each.name.startswith(".")]
        if folder.is_dir()
        else []
    )
    found = [_chain(each) for each in homes[:limit]]
    lengths = {each.name: len(each.images) for each in found}
    if not found or set(lengths.values()) == {0}:
        raise EvalkitError(f"{folder} holds no chain. Give folders NAME/0.png, 1.png, … of one length")
    if len(set(lengths.values())) > 1:
        short = min(lengths, key=lengths.__getitem__)
        raise EvalkitError(
            f"{folder} holds chains of several lengths: {short} has the fewest images in a row. "
            "Give folders NAME/0.png, 1.png, … of one length"
        )
    return tuple(found)


def digest_of(files: Iterable[tuple[str, Path]]) -> str:
    """sha256 over names and contents."""
    digest = hashlib.sha256()
    for name, file in files:
        digest.update(f"{name}\0{plain_sha256(file)}\n".encode("utf-8", "replace"))
    return digest.hexdigest()


def all_files(chains: Sequence[Chain]) -> list[tuple[str, Path]]:
    """Every image and mask with its place."""
    return [
        (f"{chain.name}/{path.stem}", path)
        for chain in chains
        for path in (*chain.images, *(chain.masks[k] for k in sorted(chain.masks)))
    ]


def asked_files(chains: Sequence[Chain]) -> list[tuple[str, Path]]:
    """What every editor is given alike: first images, and masks."""
    starts = {chain.images[0] for chain in chains}
    return [(name, path) for name, path in all_files(chains) if path in starts or path.stem.startswith("mask-")]


def _chain(folder: Path) -> Chain:
    """The chain in a folder, empty unless its images are 0, 1, 2, … and at least two."""
    there = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]
    numbered = sorted((int(path.stem), path) for path in there if path.stem.isascii() and path.stem.isdecimal())
    if [number for number, _ in numbered] != list(range(len(numbered))) or len(numbered) < 2:
        return Chain(folder.name, (), {})
    marks = {path.stem.removeprefix("mask-"): path for path in there if path.stem.startswith("mask-")}
    masks = {number: marks[str(number)] for number, _ in numbered if str(number) in marks}
    return Chain(folder.name, tuple(path for _, path in numbered), masks)
