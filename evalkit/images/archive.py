"""Zip archives of image files, with texts and metadata as in folders."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images.decode import Admit
from evalkit.images.folder import MAX_FILE, MAX_TEXT
from evalkit.images.hashing import HashedSet, file_state, stream_sha256
from evalkit.images.kinds import HEAD
from evalkit.images.listing import Listing, printable
from evalkit.images.loader import Load, one_line, read_ahead, sample_from_bytes
from evalkit.images.metadata import known_of, read_rows, texts_of
from evalkit.images.sample import Sample, Unreadable


class ZipSet(HashedSet):
    """The image files of a zip archive by member name; texts and metadata are found as in a folder.

    Raises `EvalkitError` where the file is no archive, or names a member twice.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except Exception as error:  # damaged archives raise many kinds
            raise EvalkitError(
                f"{path} is not a readable zip archive ({one_line(error)}); expected one that holds images"
            ) from None
        self.spec, self.name, self._path = str(path), path.stem, path
        self._lock = threading.Lock()
        self._infos = _by_name(self._zip, path)
        listing = Listing()
        for name in self._infos:
            listing.add(name, partial(self._head, name))
        listing.settle()
        order = sorted((printable(name), name) for name in listing.images)
        self._ids, self._names = [id for id, _ in order], [name for _, name in order]
        self._absolute = str(path.resolve())
        rows = read_rows(listing.metadata, partial(self._member, most=MAX_FILE), str(path))
        self._meta = {printable(name): row for name, row in rows.items()}
        self._texts = {printable(stem): file for stem, file in texts_of(listing.texts).items()}
        self.skipped = dict(listing.skipped)
        self.unmatched = sorted(set(self._meta) - set(self._ids))

    def ids(self) -> Sequence[str]:
        """Member names, sorted; a backslash is doubled."""
        return self._ids

    def place(self, index: int) -> str:
        """The archive and the member."""
        return f"{self._absolute}\0{self._names[index]}"

    def state(self, index: int) -> str:
        """The archive's."""
        return file_state(self._path)

    def sha256(self, index: int) -> str:
        """The member's, unpacked in pieces."""
        with self._lock, self._zip.open(self._checked(self._names[index], MAX_FILE)) as stream:
            return stream_sha256(stream)  # type: ignore[arg-type]

    def read(self, start: int, stop: int, *, threads: int = 2) -> Iterator[Sample | Unreadable]:
        """Samples in order; members are read one at a time, decoded by the threads."""
        loads: Iterator[Load] = (partial(self._load, index) for index in range(start, min(stop, len(self._names))))
        return read_ahead(loads, threads)

    def _load(self, index: int, admit: Admit) -> Sample | Unreadable:
        name, id = self._names[index], self._ids[index]
        return sample_from_bytes(id, lambda: self._member(name, MAX_FILE), lambda: self._meta_of(id), admit)

    def known(self, index: int) -> Mapping[str, Any]:
        """Its metadata and the text beside it, or why that cannot be read."""
        try:
            return self._meta_of(self._ids[index])
        except Exception as error:  # reading the image gives the same reason
            return {"unreadable": one_line(error)}

    def _meta_of(self, id: str) -> Mapping[str, Any]:
        return known_of(id, self._meta, self._texts, partial(self._member, most=MAX_TEXT))

    def _member(self, name: str, most: int) -> bytes:
        with self._lock:
            return self._zip.read(self._checked(name, most))

    def _checked(self, name: str, most: int) -> zipfile.ZipInfo:
        info = self._infos[name]
        if info.file_size > most:
            raise OSError(f"the member unpacks to {info.file_size} bytes, more than the {most} allowed")
        return info

    def _head(self, name: str) -> bytes:
        try:
            with self._lock, self._zip.open(self._infos[name]) as stream:
                return stream.read(HEAD)
        except Exception:  # what cannot be unpacked is told by its name
            return b""


def _by_name(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if info.is_dir():
            continue
        if info.filename in found:
            raise EvalkitError(f"{path} holds the member {info.filename!r} twice; pack it again with different names")
        found[info.filename] = info
    return found
