"""Content digests of image sources: hashed in threads, in pieces, and kept by the state of the file they came from."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from evalkit.images.sample import MISSING, ImageSet
from evalkit.weights.download import kept_folder

REHASH = "EVALKIT_REHASH"  # set to 1, no kept digest is believed
SETTLED = 2_000_000_000  # ns since the last change, before which the clock of a file system may show two changes as one
PIECE = 2**20
MANY = 500  # places in one query, and images hashed before they are kept
THREADS = 4


class HashCache:
    """sha256 of sources by place and state, in one SQLite file of mode 0600. Without a usable file nothing is kept."""

    def __init__(self, path: Path | None = None) -> None:
        self._db: sqlite3.Connection | None = None
        path = path or kept_folder() / "hashes.sqlite"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            path.chmod(0o600)
            self._db = sqlite3.connect(path, timeout=10, check_same_thread=False)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("create table if not exists hashes (place blob primary key, state text, sha256 text)")
        except (sqlite3.Error, OSError):
            self.close()

    def known(self, states: Mapping[str, str]) -> dict[str, str]:
        """The sha256 of the places whose state is the one that was kept."""
        found: dict[str, str] = {}
        keys = list(states)
        for start in range(0, len(keys), MANY):
            part = {_key(place): place for place in keys[start : start + MANY]}
            query = f"select place, state, sha256 from hashes where place in ({', '.join('?' * len(part))})"
            for key, state, sha256 in self._rows(query, list(part)):
                place = part.get(key, "")
                if states.get(place) == state and len(sha256) == 64:
                    found[place] = sha256
        return found

    def keep(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """(place, state, sha256) of each; all of them or none."""
        if self._db is None:
            return
        try:
            with self._db:
                self._db.executemany(
                    "insert or replace into hashes values (?, ?, ?)", [(_key(p), s, h) for p, s, h in rows]
                )
        except sqlite3.Error:  # a full disk or a broken cache costs time only
            self.close()

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _rows(self, query: str, keys: list[bytes]) -> list[tuple[bytes, str, str]]:
        try:
            return [] if self._db is None else list(self._db.execute(query, keys))
        except sqlite3.Error:
            self.close()
            return []


class HashedSet(ImageSet):
    """An image set whose fingerprints are digests of content; the state of a file only decides whether to hash again."""

    _hashes: dict[int, tuple[str, str]]  # state and sha256 by index, of sources that were settled when they were read

    @abstractmethod
    def place(self, index: int) -> str:
        """Where the source lies: an absolute path, and the member behind a zero byte."""

    @abstractmethod
    def state(self, index: int) -> str:
        """`file_state` of the file that holds the source."""

    @abstractmethod
    def sha256(self, index: int) -> str:
        """The digest of the source, read now. Raises any error of reading."""

    def fingerprint(self, index: int) -> str:
        """sha256 of the source; "missing" where it cannot be read."""
        state = self.state(index)
        found = self._recalled(index, state)
        if found is None:
            lasting = settled(state)  # as it is before the bytes are read
            found = self._hashed(index)
            if lasting:
                self._kept()[index] = (state, found)
        return found

    def fingerprints(self, count: int | None = None) -> list[str]:
        """The digests of the first `count` images, hashed by several threads where no kept one is valid."""
        count = len(self) if count is None else count
        states = [self.state(index) for index in range(count)]
        lasting = [settled(state) for state in states]
        cache = HashCache()
        if os.environ.get(REHASH) != "1":
            self._recall(cache, {i: state for i, state in enumerate(states) if lasting[i]})
        found = [self._recalled(i, state) for i, state in enumerate(states)]
        todo = [i for i, sha256 in enumerate(found) if sha256 is None]
        for start in range(0, len(todo), MANY):
            part = todo[start : start + MANY]
            for index, sha256 in zip(part, self._all_hashed(part), strict=True):
                found[index] = sha256
                if lasting[index]:
                    self._kept()[index] = (states[index], sha256)
            cache.keep((self.place(i), *self._kept()[i]) for i in part if lasting[i] and found[i] != MISSING)
        cache.close()
        return [sha256 or MISSING for sha256 in found]

    def _recall(self, cache: HashCache, states: Mapping[int, str]) -> None:
        """Take over what the cache knows."""
        wanted = {self.place(i): i for i, state in states.items() if self._recalled(i, state) is None}
        for place, sha256 in cache.known({place: states[i] for place, i in wanted.items()}).items():
            self._kept()[wanted[place]] = (states[wanted[place]], sha256)

    def _recalled(self, index: int, state: str) -> str | None:
        known = self._kept().get(index)
        return known[1] if known is not None and known[0] == state else None

    def _all_hashed(self, indices: list[int]) -> Iterator[str]:
        if len(indices) == 1:
            yield self._hashed(indices[0])
            return
        with ThreadPoolExecutor(THREADS, thread_name_prefix="evalkit-hash") as pool:
            yield from pool.map(self._hashed, indices)

    def _hashed(self, index: int) -> str:
        try:
            return self.sha256(index)
        except Exception:  # what cannot be read has no content; reading it says why
            return MISSING

    def _kept(self) -> dict[int, tuple[str, str]]:
        if not hasattr(self, "_hashes"):
            self._hashes = {}
        return self._hashes


def file_state(path: str | os.PathLike[str]) -> str:
    """Size, times, inode and device of a regular file; "missing" where there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return MISSING
    if not stat.S_ISREG(found.st_mode):
        return MISSING
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino} {found.st_dev}"


def settled(state: str) -> bool:
    """Whether the last change is long enough ago that another one would show in the state."""
    parts = state.split(" ")
    changed = [int(each) for each in parts[1:3]][-1 if os.name == "posix" else 0 :]  # elsewhere ctime is the creation
    return len(parts) == 5 and time.time_ns() - max(changed) > SETTLED


def stream_sha256(stream: BinaryIO) -> str:
    """sha256 of what is left in a stream, read in pieces."""
    digest = hashlib.sha256()
    while piece := stream.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _key(place: str) -> bytes:
    return place.encode("utf-8", "surrogateescape")
