"""The shards of an unfinished run: each is written whole with its digests, and read back only where they hold."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from evalkit.errors import DAMAGED
from evalkit.jobs.shard import ShardOutput
from evalkit.jsonio import canonical_json, parse_json
from evalkit.runs.durable import sha256_of, sync_file, sync_folder, write_bytes
from evalkit.runs.tables import table_of, write_tables
from evalkit.whole_files import WRITING

ROWS, ARRAYS, ABOUT, FILES = "rows.parquet", "arrays.npz", "about.json", "files"
Arrays = Mapping[str, np.ndarray[Any, Any]]


class Parts(Protocol):
    """What finished shards hold, shard by shard in plan order; every call starts again."""

    def tables(self) -> Iterator[pa.Table]:
        """Rows of each shard."""

    def arrays(self) -> Iterator[Arrays]:
        """Arrays of each shard."""

    def facts(self) -> Iterator[Mapping[str, Any]]:
        """Facts of each shard."""


class MemoryParts:
    """Rows, arrays and facts that are at hand, as one shard; for verification and tests."""

    def __init__(self, rows: pa.Table, arrays: Arrays | None = None, facts: Mapping[str, Any] | None = None) -> None:
        self._rows, self._arrays, self._facts = rows, arrays or {}, facts or {}

    def tables(self) -> Iterator[pa.Table]:
        """The rows."""
        yield self._rows

    def arrays(self) -> Iterator[Arrays]:
        """The arrays."""
        yield self._arrays

    def facts(self) -> Iterator[Mapping[str, Any]]:
        """The facts."""
        yield self._facts


class ShardFolder:
    """Finished shards below one folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._whole: dict[str, bool] = {}

    def any(self) -> bool:
        """Whether some shard is finished."""
        return self.path.is_dir() and any(not each.name.startswith(WRITING) for each in self.path.iterdir())

    def has(self, key: str) -> bool:
        """Whether the shard is there and its bytes are those that were written; a broken one is removed."""
        if key not in self._whole:
            self._whole[key] = self._holds(key)
            if not self._whole[key] and (self.path / key).exists():
                shutil.rmtree(self.path / key)
        return self._whole[key]

    def put(self, key: str, output: ShardOutput) -> None:
        """Store a shard's output, whole or not at all."""
        temporary = self.path / f"{WRITING}{key}-{uuid.uuid4().hex[:8]}"
        temporary.mkdir(parents=True)
        try:
            self._write(temporary, output)
            temporary.rename(self.path / key)
        except OSError:
            shutil.rmtree(temporary, ignore_errors=True)
            if not self._holds(key):  # otherwise another worker finished the same shard first
                raise
        sync_folder(self.path)
        self._whole[key] = True

    def keys(self) -> set[str]:
        """The names of all shards that are there."""
        there = self.path.iterdir() if self.path.is_dir() else ()
        return {each.name for each in there if not each.name.startswith(WRITING)}

    def drop(self, key: str) -> None:
        """Remove a shard, and those of its files that lie at their places already."""
        try:
            about = parse_json((self.path / key / ABOUT).read_bytes(), ABOUT)
            names = [str(name) for name in about.get("files", {})]
        except (OSError, ValueError, AttributeError):
            names = []
        for name in names:
            (self.path.parent / name).unlink(missing_ok=True)
        shutil.rmtree(self.path / key, ignore_errors=True)
        self._whole[key] = False

    def parts(self, keys: Sequence[str]) -> LocalParts:
        """The finished shards `keys`, in this order."""
        return LocalParts(self.path, tuple(keys))

    def place(self, keys: Sequence[str], target: Path) -> None:
        """Move the shards' files to their places in the run folder; a call that was cut off can be repeated."""
        for key in keys:
            home = self.path / key / FILES
            for file in sorted(each for each in home.rglob("*") if each.is_file()):
                place = target / file.relative_to(home)
                place.parent.mkdir(parents=True, exist_ok=True)
                file.replace(place)

    def _write(self, folder: Path, output: ShardOutput) -> None:
        write_tables(folder / ROWS, [output.rows], output.rows.schema)
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in output.arrays.items()}
        np.savez(folder / ARRAYS, **arrays)
        files = {}
        for name, data in output.files.items():
            write_bytes(folder / FILES / name, data)
            files[name] = hashlib.sha256(data).hexdigest()
        for name in (ROWS, ARRAYS):
            sync_file(folder / name)
        digests = {name: sha256_of(folder / name) for name in (ROWS, ARRAYS)}
        about = {"digests": digests, "files": files, "seconds": output.seconds, "facts": output.facts}
        write_bytes(folder / ABOUT, canonical_json(about))

    def _holds(self, key: str) -> bool:
        try:
            about = parse_json((self.path / key / ABOUT).read_bytes(), ABOUT)
            held = all(sha256_of(self.path / key / name) == about["digests"][name] for name in (ROWS, ARRAYS))
            return held and all(self._file_holds(key, *each) for each in about.get("files", {}).items())
        except (OSError, *DAMAGED):
            return False

    def _file_holds(self, key: str, name: str, digest: str) -> bool:
        """Whether a file of the shard is what was written, in the shard or at its place in the run already."""
        inside = self.path / key / FILES / name
        return sha256_of(inside if inside.exists() else self.path.parent / name) == digest


class LocalParts:
    """Finished shards of a folder; memory holds one shard at a time."""

    def __init__(self, path: Path, keys: tuple[str, ...]) -> None:
        self.path, self.keys = path, keys

    def tables(self) -> Iterator[pa.Table]:
        """Rows of each shard."""
        for key in self.keys:
            yield table_of(self.path / key / ROWS)

    def arrays(self) -> Iterator[Arrays]:
        """Arrays of each shard."""
        for key in self.keys:
            with np.load(self.path / key / ARRAYS, allow_pickle=False) as held:
                yield dict(held)

    def facts(self) -> Iterator[Mapping[str, Any]]:
        """Facts of each shard."""
        for about in self._about():
            yield about["facts"]

    def seconds(self) -> dict[str, float]:
        """Seconds by stage, over all shards."""
        total: dict[str, float] = {}
        for about in self._about():
            for stage, spent in about["seconds"].items():
                total[stage] = total.get(stage, 0.0) + spent
        return total

    def _about(self) -> Iterator[dict[str, Any]]:
        for key in self.keys:
            yield parse_json((self.path / key / ABOUT).read_bytes(), str(self.path / key / ABOUT))
