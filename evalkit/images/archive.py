"""Zip archives of image files, with texts and metadata as in folders."""

from __future__ import annotations

import threading
import zipfile
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.images.folder import MAX_FILE
from evalkit.images.hashing import file_state, stream_sha256
from evalkit.images.kinds import HEAD
from evalkit.images.loader import one_line
from evalkit.images.members import MemberSet


class ZipSet(MemberSet):
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
        self._absolute = str(path.resolve())
        self._list(self._infos)

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
