"""Names of the files that images of a set are written to: safe on every disk, short enough, and different for every id."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

from evalkit.images.kinds import SUFFIXES

MOST = 200  # bytes of a name in a folder, of the 255 that disks allow: a suffix is added
PARTS = 8  # folders within each other that are kept


def file_stems(ids: Sequence[str]) -> dict[str, str]:
    """A relative path without suffix for every id: its own stem, or its whole name where several share a stem.

    >>> file_stems(["a/b.png", "c.jpg", "c.png"])
    {'a/b.png': 'a/b', 'c.jpg': 'c.jpg', 'c.png': 'c.png'}
    """
    stems = [_stem(id) for id in ids]
    seen: dict[str, int] = {}
    for stem in stems:
        seen[_alike(stem)] = seen.get(_alike(stem), 0) + 1
    names: dict[str, str] = {}
    taken: set[str] = set()
    for id, stem in zip(ids, stems, strict=True):
        name = stem if seen[_alike(stem)] == 1 else _safe(id)
        if _alike(name) in taken:  # what made the ids differ cannot stand in a file name
            name += f"-{_digest(id)}"
        names[id] = name
        taken.add(_alike(name))
    return names


def _alike(name: str) -> str:
    """Equal for names that are one file on some disk."""
    return unicodedata.normalize("NFC", name).lower()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:8]


def _stem(id: str) -> str:
    safe = _safe(id)
    suffix = PurePosixPath(safe).suffix
    return safe[: -len(suffix)] if suffix and not suffix[1:].isdigit() else safe


def _safe(id: str) -> str:
    *folders, last = [
        part for part in id.replace("\\", "_").replace(":", "_").split("/") if part not in ("", ".", "..")
    ] or ["_"]
    if len(folders) >= PARTS:
        folders = [*folders[: PARTS - 1], _digest("/".join(folders))]
    return "/".join([*map(_folder, folders), _short(last)])


def _folder(part: str) -> str:
    """A folder is not called like an image that may lie beside it."""
    stem, suffix = os.path.splitext(part)
    return _short(f"{stem}_{suffix[1:]}" if suffix.lower() in SUFFIXES else part)


def _short(part: str) -> str:
    """A name of at most `MOST` bytes; a longer one keeps its begin and its suffix."""
    data = part.encode("utf-8", "backslashreplace")
    if len(data) <= MOST:
        return part
    suffix = os.path.splitext(part)[1] if len(os.path.splitext(part)[1]) <= 6 else ""
    return f"{data[: MOST - 40].decode('utf-8', 'ignore')}-{_digest(part)}{suffix}"
