"""Images in an object store, listed once and read one by one when they are needed."""

from __future__ import annotations

import hashlib
import posixpath

from evalkit.images.folder import MAX_FILE
from evalkit.images.kinds import HEAD
from evalkit.images.members import MemberSet
from evalkit.weights.object_stores import opened


class ObjectSet(MemberSet):
    """The image files below an address such as s3://bucket/photos; nothing is copied to this machine's disk."""

    def __init__(self, url: str) -> None:
        self._store = opened(url)
        self.spec, self.name = url, posixpath.basename(self._store.root)
        self._list(self._store.names())

    def place(self, index: int) -> str:
        """The address."""
        return f"{self.spec.rstrip('/')}/{self._names[index]}"

    def state(self, index: int) -> str:
        """What the store says of the object's size and version, in the form of `file_state`."""
        path = self._store.path(self._names[index])
        return f"{self._store.fs.size(path)} 0 0 {self._store.fs.ukey(path)} store".replace("\n", "")

    def sha256(self, index: int) -> str:
        """The object's."""
        return hashlib.sha256(self._member(self._names[index], MAX_FILE)).hexdigest()

    def _head(self, name: str) -> bytes:
        try:
            head: bytes = self._store.fs.cat_file(self._store.path(name), start=0, end=HEAD)
        except Exception:  # stores raise many kinds; the object is told by its name
            return b""
        return head

    def _member(self, name: str, most: int) -> bytes:
        path = self._store.path(name)
        size = self._store.fs.size(path)
        if size is None or size > most:
            raise OSError(f"the object has {size} bytes, more than the {most} allowed")
        data: bytes = self._store.fs.cat_file(path)
        return data
