"""Runs in object stores: the store holds the truth, a folder of this machine its copy; the marker comes last.

A shard is its objects, then about.json. A run is its files, then record.json. What lacks its marker is not there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jobs.shard import ShardOutput
from evalkit.runs.durable import write_bytes
from evalkit.runs.lock import NAME as LOCK
from evalkit.runs.shards import ABOUT, FILES
from evalkit.runs.store import ATTESTATION, PLAN, RECORD, RunStore
from evalkit.weights.object_stores import Place, opened, url_of
from evalkit.whole_files import WRITING

SHARDS = "shards"


def open_store(path: Path) -> RunStore:
    """The store of the run in `path`: a folder, or the copy of a place in an object store."""
    url = url_of(path)
    return RunStore(path) if url is None else ObjectStore(path, opened(url))


class ObjectStore(RunStore):
    """Every finished shard goes to the store at once, so that any machine can resume."""

    def __init__(self, path: Path, place: Place) -> None:
        super().__init__(path)
        self.remote = place
        self._there: set[str] = set()
        self._refresh()

    @property
    def begun(self) -> bool:
        """Whether the store holds a plan."""
        return (self.path / PLAN).exists()

    def begin(self, plan: Mapping[str, Any], changed: Callable[[], Sequence[str]] = tuple) -> None:
        """As in a folder; the plan is in the store before anything else."""
        if not self.begun and self.remote.names():
            raise EvalkitError(f"{url_of(self.path)} is not empty and is not a run. Give a fresh --out")
        super().begin(plan, changed)
        if not self.sealed:
            self.remote.put(self.path, [PLAN])

    def unseal(self, stale: Sequence[str] = ()) -> None:
        """The marker goes first."""
        for name in (ATTESTATION, RECORD, "report.html", *stale):
            self.remote.remove(name)
        super().unseal(stale)

    def take_over(self, plan: Mapping[str, Any]) -> None:
        """The plan goes to the store too."""
        super().take_over(plan)
        self.remote.put(self.path, [PLAN])

    def forget(self) -> None:
        """Here and in the store."""
        super().forget()
        self.remote.remove(SHARDS)
        self._there.clear()

    def keys(self) -> set[str]:
        """Those in the store too."""
        return super().keys() | self._there

    def drop(self, key: str) -> None:
        """Here and in the store."""
        self.has(key)  # it is here from now on
        super().drop(key)
        self.remote.remove(f"{SHARDS}/{key}")
        self._there.discard(key)

    def abandon(self) -> None:
        """Nothing is left in the store either."""
        super().abandon()
        if not self.begun:
            self.remote.remove()

    def has(self, key: str) -> bool:
        """Whether the shard is in the store; it is copied here, or written there, where one of both lacks it."""
        if key in self._there and not (self.shards / key).exists():
            self._pull(key)
        found = super().has(key)
        if found and key not in self._there:
            self._push(key)
        return found

    def put(self, key: str, output: ShardOutput) -> None:
        """Whole here, then in the store."""
        super().put(key, output)
        self._push(key)

    def seal(self, record: Mapping[str, Any], *, keep: bool = False) -> None:
        """Seal here, then write the files, then the record, then remove from the store what is not kept of the shards."""
        super().seal(record, keep=keep)
        self.settle()  # files are listed now
        self._finish()

    def cover(self, name: str, *, renew: bool = False) -> None:
        """What was made from the sealed run goes to the store, then the record that lists it."""
        before = (self.path / RECORD).read_bytes()
        super().cover(name, renew=renew)
        if (self.path / RECORD).read_bytes() != before:
            self.remote.put(self.path, [each for each in self._files() if each.split("/")[0] == name])
            self.remote.put(self.path, [RECORD])

    def _begun_shards(self) -> bool:
        return bool(self._there) or super()._begun_shards()

    def _refresh(self) -> None:
        """Make the copy here agree with the store, and finish a sealing that was cut off."""
        plan, record = self.remote.read(PLAN), self.remote.read(RECORD)
        mine = {name: file.read_bytes() for name in (PLAN, RECORD) if (file := self.path / name).exists()}
        if mine.get(PLAN) != plan or (record is not None and mine.get(RECORD) != record):
            shutil.rmtree(self.path, ignore_errors=True)
            mine = {}
        if record is not None and not mine:
            self.remote.get([name for name in self.remote.names() if _of_run(name) and name != RECORD], self.path)
            write_bytes(self.path / RECORD, record)
        elif plan is not None and not mine:
            write_bytes(self.path / PLAN, plan)
        if plan is not None:
            names = self.remote.names(SHARDS)
            self._there = {name.split("/")[1] for name in names if name.endswith(f"/{ABOUT}")}
        if plan is not None and record is None and RECORD in mine:
            self._finish()

    def _push(self, key: str) -> None:
        names = sorted(_below(self.shards / key))
        base = Place(self.remote.fs, self.remote.path(f"{SHARDS}/{key}"))
        base.put(self.shards / key, [name for name in names if name != ABOUT])
        base.put(self.shards / key, [ABOUT])
        self._there.add(key)

    def _pull(self, key: str) -> None:
        base = Place(self.remote.fs, self.remote.path(f"{SHARDS}/{key}"))
        temporary = self.shards / f"{WRITING}{key}"
        shutil.rmtree(temporary, ignore_errors=True)
        base.get(base.names(), temporary)
        temporary.rename(self.shards / key)
        self._there.discard(key)  # what turns out broken is written anew
        if super().has(key):
            self._there.add(key)

    def _finish(self) -> None:
        """Files of shards move within the store; the rest is written; the record is the last."""
        homes: dict[str, str] = {}
        for name in self.remote.names(SHARDS):
            _, key, kind, *rest = name.split("/")
            if kind == FILES and key in self._there:
                homes["/".join(rest)] = name
        files = [name for name in self._files() if name != RECORD]
        moved = [name for name in files if name in homes]
        for name in moved:
            self.remote.fs.makedirs(self.remote.path(name).rpartition("/")[0], exist_ok=True)
            self.remote.fs.copy(self.remote.path(homes[name]), self.remote.path(name))
        self.remote.put(self.path, [name for name in files if name not in homes])
        self.remote.put(self.path, [RECORD])
        for name in moved if self.kept() else ():
            self.remote.remove(homes[name])
        if not self.kept():
            self.remote.remove(SHARDS)

    def _files(self) -> list[str]:
        return sorted(name for name in _below(self.path) if _of_run(name))


def _of_run(name: str) -> bool:
    first = name.split("/")[0]
    return first not in (SHARDS, LOCK) and not name.rpartition("/")[2].startswith(WRITING)


def _below(folder: Path) -> list[str]:
    return [each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()]
