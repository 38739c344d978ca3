"""The files of a shard while it is worked on: few bytes are held in memory, more lie in a temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, MutableMapping

MOST = 2**26  # bytes of a shard's files that stay in memory


class Aside(MutableMapping[str, bytes]):
    """Bytes by name; all lie on the disk once there are more than `most`, and are read when they are asked for.

    Iterating holds one file at a time. A copy for another process is a plain dict.

    >>> files = Aside(most=4)
    >>> files["a"], files["b"] = b"1234", b"5678"
    >>> dict(files)
    {'a': b'1234', 'b': b'5678'}
    """

    def __init__(self, most: int = MOST) -> None:
        self._most, self._data = most, tempfile.SpooledTemporaryFile(most)  # noqa: SIM115 (closed with this object)
        self._places: dict[str, tuple[int, int]] = {}

    def __setitem__(self, name: str, data: bytes) -> None:
        """Raises `OSError` where the disk of temporary files is full."""
        start = self._data.seek(0, 2)
        if start + len(data) > self._most:  # before a copy of it is made in memory
            self._data.rollover()
        self._data.write(data)
        self._places[name] = start, len(data)

    def __getitem__(self, name: str) -> bytes:
        """Raises `KeyError` for an unknown name."""
        start, size = self._places[name]
        self._data.seek(start)
        return self._data.read(size)

    def __delitem__(self, name: str) -> None:
        """The name is gone; its bytes go with the whole."""
        del self._places[name]

    def __iter__(self) -> Iterator[str]:
        """Names in the order in which they came."""
        return iter(self._places)

    def __len__(self) -> int:
        """Number of files."""
        return len(self._places)

    def __reduce__(self) -> tuple[type[dict[str, bytes]], tuple[dict[str, bytes]]]:
        """All of it, for another process."""
        return dict, (dict(self),)
