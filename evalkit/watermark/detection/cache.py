"""Codes of files that were tokenised before, in one SQLite file: another key over the same folder reads no image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evalkit.encoders.database import Database
from evalkit.weights.download import kept_folder

Ints = npt.NDArray[np.int64]
VERSION = 1
MANY = 500  # values in one query
TABLES = """
create table if not exists places (place text primary key, state text, sha256 text) without rowid;
create table if not exists images (
    sha256 text, preparation text, codes blob not null,
    phash integer, width integer, height integer, format text, mode text, orientation integer, warning text,
    primary key (sha256, preparation)
) without rowid;
"""
QUERY = """
select place, state, places.sha256, codes, phash, width, height, format, mode, orientation, warning
from places join images on images.sha256 = places.sha256 and preparation = ? where place in (%s)
"""


@dataclass(frozen=True)
class Kept:
    """What is kept of an image: `codes` as bytes, and facts of its file."""

    codes: bytes
    phash: int
    width: int
    height: int
    format: str | None
    mode: str | None
    orientation: int | None
    warning: str | None


class CodeCache:
    """Codes by the digest of a file and of everything that turned it into codes. Whole after any kill."""

    def __init__(self, path: str | Path | None = None) -> None:
        """`path`: the file [default: codes.sqlite in EVALKIT_CACHE or ~/.cache/evalkit]; ":memory:" keeps nothing.

        Raises `EvalkitError` where the file is no cache, or cannot be written.
        """
        self.path = str(path or kept_folder() / "codes.sqlite")
        self.keeps = self.path != ":memory:"
        self._db = Database(
            self.path,
            TABLES,
            version=VERSION,
            what="a code cache",
            remedy="give another --cache file, or --no-cache",
            table="images",
            key="sha256, preparation",
        )

    def known(self, states: Mapping[str, str], preparation: str) -> dict[str, tuple[str, Kept]]:
        """(sha256, what is kept) of the places whose state (size and time of the file) is what it was when they were read."""
        found: dict[str, tuple[str, Kept]] = {}
        if not self.keeps:
            return found
        places = list(states)
        for start in range(0, len(places), MANY):
            part = places[start : start + MANY]
            for place, state, sha256, *kept in self._db.rows(QUERY % _marks(part), (preparation, *part)):
                if states[place] == state:
                    found[place] = sha256, Kept(*kept)
        return found

    def images(self, digests: Iterable[str], preparation: str) -> dict[str, Kept]:
        """What is kept of files with these digests, wherever they lay."""
        found: dict[str, Kept] = {}
        wanted = list(dict.fromkeys(digests)) if self.keeps else []
        columns = "sha256, codes, phash, width, height, format, mode, orientation, warning"
        for start in range(0, len(wanted), MANY):
            part = wanted[start : start + MANY]
            query = f"select {columns} from images where preparation = ? and sha256 in ({_marks(part)})"
            found.update((row[0], Kept(*row[1:])) for row in self._db.rows(query, (preparation, *part)))
        return found

    def put(self, preparation: str, images: Mapping[str, Kept], places: Mapping[str, tuple[str, str]]) -> None:
        """Keep images by digest, and (state, digest) of places; all of it or nothing."""
        if not self.keeps:
            return
        rows = [
            (sha, preparation, p.codes, p.phash, p.width, p.height, p.format, p.mode, p.orientation, p.warning)
            for sha, p in images.items()
        ]
        kept = (f"insert or replace into images values ({_marks(range(10))})", rows)
        seen = ("insert or replace into places values (?, ?, ?)", [(k, *v) for k, v in places.items()])
        self._db.write((kept, seen))

    def purge(self) -> int:
        """Forget every image; how many there were."""
        ((count,),) = self._db.rows("select count(*) from images")
        self._db.empty(("images", "places"))
        return int(count)

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def packed(codes: Ints, vocabulary: int) -> bytes:
    """Codes [N] as the smallest unsigned integers that hold them; bits (vocabulary 2) eight to a byte."""
    if vocabulary == 2:
        return np.packbits(codes.astype(np.uint8).ravel()).tobytes()
    return codes.astype(_kind(vocabulary)).tobytes()


def unpacked(parts: Sequence[bytes], vocabulary: int, shape: tuple[int, ...]) -> Ints:
    """int64 [B, *shape] of what `packed` made of each."""
    if vocabulary == 2:
        bits = int(np.prod(shape))
        flat = np.frombuffer(b"".join(parts), np.uint8).reshape(len(parts), -(-bits // 8))
        return np.unpackbits(flat, axis=1, count=bits).reshape(len(parts), *shape).astype(np.int64)
    return np.frombuffer(b"".join(parts), _kind(vocabulary)).reshape(len(parts), *shape).astype(np.int64)


def _kind(vocabulary: int) -> str:
    return "<u1" if vocabulary <= 2**8 else "<u2" if vocabulary <= 2**16 else "<u4"


def _marks(values: Sized) -> str:
    return ", ".join("?" * len(values))
