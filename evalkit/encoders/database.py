"""One SQLite file of a cache: private to its owner, bounded, whole after any kill."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError

LARGEST = 4 * 2**30  # bytes of a file
ROOM = 0.1  # of a full file, made when it is shortened
OFTEN = 200  # writes between two looks at the size
Statement = tuple[str, Sequence[Sequence[Any]]]


class Database:
    """A file of `tables`; `table` is the one that is shortened where the file is full, by the order of its key."""

    def __init__(
        self,
        path: str | Path,
        tables: str,
        *,
        version: int,
        what: str,
        remedy: str,
        table: str,
        key: str,
        largest: int = LARGEST,
    ) -> None:
        """`what`, `remedy`: how an error calls the file, and what to type. Raises `EvalkitError` where it is no cache."""
        self.path, self._what, self._remedy = str(path), what, remedy
        self._table, self._key, self._largest, self._writes = table, key, largest, 0
        self._lock = threading.Lock()
        try:
            if self.path != ":memory:":
                _private(Path(self.path))
            self._db = sqlite3.connect(self.path, timeout=60, check_same_thread=False)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=normal")
            (found,) = self._db.execute("pragma user_version").fetchone()
            if found not in (0, version):
                raise EvalkitError(f"{self.path} was written by another version of evalkit; {remedy}, or remove it")
            self._db.executescript(tables)
            self._db.execute(f"pragma user_version={version}")
        except (sqlite3.Error, OSError) as error:
            raise self._broken(error) from None

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """What the query gives. Raises `EvalkitError` where the file cannot be read."""
        try:
            with self._lock:
                return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._broken(error) from None

    def write(self, statements: Iterable[Statement]) -> None:
        """Run every statement for each of its rows: all of it or nothing."""
        try:
            with self._lock, self._db:
                for statement, rows in statements:
                    self._db.executemany(statement, rows)
            self._writes += 1
            if self._writes % OFTEN == 0:
                self._shorten()
        except sqlite3.Error as error:
            raise self._broken(error) from None

    def _shorten(self) -> None:
        """Drop the rows of the lowest keys where the file holds more than it may.

        Keys are digests, so this is a choice by chance that repeats: rows that were dropped make way again.
        """
        page, pages, free = (
            self.rows(f"pragma {name}")[0][0] for name in ("page_size", "page_count", "freelist_count")
        )
        used = page * (pages - free)
        if used <= self._largest:
            return
        ((count,),) = self.rows(f"select count(*) from {self._table}")
        drop = (
            f"delete from {self._table} where ({self._key}) in "
            f"(select {self._key} from {self._table} order by {self._key} limit ?)"
        )
        with self._lock, self._db:
            self._db.execute(drop, (math.ceil(count * (1 - (1 - ROOM) * self._largest / used)),))

    def empty(self, tables: Iterable[str]) -> None:
        """Remove every row of the tables, and what the file still holds of them."""
        try:
            with self._lock:
                with self._db:
                    for name in tables:
                        self._db.execute(f"delete from {name}")
                self._db.execute("vacuum")
                self._db.execute("pragma wal_checkpoint(truncate)").fetchall()
        except sqlite3.Error as error:
            raise self._broken(error) from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _broken(self, error: Exception) -> EvalkitError:
        return EvalkitError(f"{self.path} cannot be used as {self._what} ({error}); {self._remedy}")


def _private(path: Path) -> None:
    """The file, made for its owner alone, or taken back from others; SQLite gives its companions the same mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            with contextlib.suppress(OSError):  # another user's, who alone may do it
                path.chmod(0o600)
