"""What only the base decides: kept for checks of further erasers of it, so that the base is drawn once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json
from evalkit.metrics.npz import arrays_of
from evalkit.whole_files import whole

Arrays = Mapping[str, np.ndarray[Any, Any]]
LARGEST = 8 * 2**30  # bytes of a folder; the files that were used least lately go first


class Memory:
    """Arrays by key, in this process, and in `folder` where one is given, for later ones.

    A key is plain data that holds all that decides its value (weights, sampler, prompts, seeds).
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        """Raise `EvalkitError` for a folder that is a file."""
        self.folder = None if folder is None else Path(folder).expanduser()
        if self.folder is not None and self.folder.exists() and not self.folder.is_dir():
            raise EvalkitError(f"{folder} is a file. Give a folder with --cache")
        self._held: dict[str, Arrays] = {}

    def get(self, key: object, make: Callable[[], Arrays]) -> Arrays:
        """The arrays of `key`, made at its first use."""
        name = hashlib.sha256(canonical_json(key)).hexdigest()
        if name not in self._held:
            self._held[name] = self._read(name) or self._made(name, make)
        return self._held[name]

    def _made(self, name: str, make: Callable[[], Arrays]) -> Arrays:
        made = make()
        if self.folder is not None:
            with whole(self.folder / f"{name}.npz") as temporary, temporary.open("wb") as stream:
                np.savez(stream, allow_pickle=False, **made)
            _shorten(self.folder)
        return made

    def _read(self, name: str) -> Arrays | None:
        path = None if self.folder is None else self.folder / f"{name}.npz"
        if path is None or not path.is_file():
            return None
        try:
            found = arrays_of(path)
            path.touch()
        except (OSError, EvalkitError):
            return None  # a damaged file is made again
        return found


def _shorten(folder: Path) -> None:
    files = [(path, path.stat()) for path in folder.glob("*.npz")]
    total = sum(stat.st_size for _, stat in files)
    for path, stat in sorted(files, key=lambda each: each[1].st_mtime):
        if total <= LARGEST:
            break
        path.unlink(missing_ok=True)
        total -= stat.st_size
