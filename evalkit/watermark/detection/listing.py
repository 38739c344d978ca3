"""What lies in an image set, without decoding it: a digest of its listing, and files that nobody here reads."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from evalkit.images.folder import FolderSet
from evalkit.images.sample import ImageSet

UNREAD = frozenset((".heic", ".heif", ".jxl", ".jp2", ".j2k", ".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".svg"))


def other_pictures(images: FolderSet) -> dict[str, int]:
    """How many files of image formats that nobody here reads lie in the folder, by suffix."""
    folder = Path(images.spec).expanduser()
    if not folder.is_dir():
        return {}
    found: Counter[str] = Counter()
    for _, _, files in os.walk(folder):
        found.update(suffix for file in files if (suffix := os.path.splitext(file)[1].lower()) in UNREAD)
    return dict(found)


def listing_digest(images: ImageSet, states: Sequence[str]) -> str:
    """sha256 over ids and source states: it changes when the set changes, and decodes nothing."""
    digest = hashlib.sha256()
    for name, state in zip(images.ids(), states, strict=False):
        digest.update(f"{name}\0{state}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
