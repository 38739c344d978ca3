"""Names of the files that images of a set are written to: safe on every disk, and different for every id."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath


def file_stems(ids: Sequence[str]) -> dict[str, str]:
    """A relative path without suffix for every id: its own stem, or its whole name where several share a stem.

    >>> file_stems(["a/b.png", "c.jpg", "c.png"])
    {'a/b.png': 'a/b', 'c.jpg': 'c.jpg', 'c.png': 'c.png'}
    """
    stems = [_stem(id) for id in ids]
    seen: dict[str, int] = {}
    for stem in stems:
        seen[stem.lower()] = seen.get(stem.lower(), 0) + 1
    names: dict[str, str] = {}
    taken: set[str] = set()
    for id, stem in zip(ids, stems, strict=True):
        name = stem if seen[stem.lower()] == 1 else _safe(id)
        if name.lower() in taken:  # what made the ids differ cannot stand in a file name
            name += f"-{hashlib.sha256(id.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
        names[id] = name
        taken.add(name.lower())
    return names


def _stem(id: str) -> str:
    safe = _safe(id)
    suffix = PurePosixPath(safe).suffix
    return safe[: -len(suffix)] if suffix and not suffix[1:].isdigit() else safe


def _safe(id: str) -> str:
    parts = [part for part in id.replace("\\", "_").replace(":", "_").split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or "_"
