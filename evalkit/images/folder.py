"""Folders and globs of image files, with true text beside them where somebody knows it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from evalkit.images.cost import most_bytes
from evalkit.images.hashing import HashedSet, file_state, stream_sha256
from evalkit.images.listing import Listing, list_files, list_folder, list_glob, printable
from evalkit.images.loader import one_line, read_ahead, sample_from_bytes
from evalkit.images.metadata import Meta, known_of, read_rows, texts_of
from evalkit.images.sample import Admit, Load, Sample, Unreadable

MAX_FILE = 2**30  # bytes of what is hashed
MAX_TABLE = 2**28  # bytes of metadata
MAX_TEXT = 2**20  # bytes of the true text in an image


class FolderSet(HashedSet):
    """Image files by relative path. Known meta of a file: `<stem>.txt` beside it (its true text), or a row of
    `metadata.jsonl`, `.csv` or `.tsv` in its folder or above, with `file_name` and any of `text`, `subset`, `task`,
    `script`.
    """

    def __init__(self, root: Path, listing: Listing, *, spec: str, name: str, whole: bool = False) -> None:
        """`whole`: the listing holds all that lies below `root`, so metadata for other images is unmatched."""
        self.root, self.spec, self.name = root, spec, name
        order = sorted((printable(file), file) for file in listing.images)
        self._ids = [each for each, _ in order]
        self._files = [id if id == file else file for id, file in order]  # below `root`; one text where both are equal
        self._absolute = os.path.abspath(root)
        self._meta = self._rows(listing)
        self._texts = {printable(stem): file for stem, file in texts_of(listing.texts).items()}
        self.skipped = dict(listing.skipped)
        self.unmatched = sorted(set(self._meta) - set(self._ids)) if whole else ()

    @classmethod
    def of_folder(cls, root: Path) -> FolderSet:
        """Every image file below `root`; hidden files and folders are left out, links are followed once."""
        return cls(root, list_folder(root), spec=str(root), name=root.resolve().name, whole=True)

    @classmethod
    def of_glob(cls, pattern: str) -> FolderSet:
        """The image files that a shell pattern (with `**`) names."""
        fixed = Path(pattern.split("*")[0].split("?")[0].split("[")[0])
        root = fixed if fixed.is_dir() else fixed.parent
        return cls(root, list_glob(pattern, root), spec=pattern, name=root.resolve().name)

    @classmethod
    def of_file(cls, path: Path, spec: str) -> FolderSet:
        """One file."""
        return cls(path.parent, list_files([os.fspath(path)], path.parent), spec=spec, name=path.stem)

    def ids(self) -> Sequence[str]:
        r"""Relative POSIX paths, sorted; bytes that are not UTF-8 are written as \xNN, a backslash is doubled."""
        return self._ids

    def file(self, index: int) -> Path:
        """Where the image lies."""
        return self.root / self._files[index]

    def place(self, index: int) -> str:
        """The absolute path."""
        return os.path.join(self._absolute, self._files[index])

    def state(self, index: int) -> str:
        """The file's."""
        return file_state(os.path.join(os.fspath(self.root), self._files[index]))

    def sha256(self, index: int) -> str:
        """The file's, read in pieces."""
        with _opened(self.file(index), MAX_FILE) as stream:
            return stream_sha256(stream)

    def read(self, start: int, stop: int, *, threads: int = 2) -> Iterator[Sample | Unreadable]:
        """Samples in order, decoded ahead."""
        return read_ahead(self.loads(start, stop), threads)

    def loads(self, start: int, stop: int) -> Iterator[Load]:
        """One for each image."""
        return (partial(self._load, index) for index in range(start, min(stop, len(self._files))))

    def _load(self, index: int, admit: Admit) -> Sample | Unreadable:
        file, id = self.file(index), self._ids[index]
        return sample_from_bytes(id, lambda: _read_file(file, most_bytes()), lambda: self._meta_of(id), admit)

    def known(self, index: int) -> Mapping[str, Any]:
        """Its metadata and the text beside it, or why that cannot be read."""
        try:
            return self._meta_of(self._ids[index])
        except Exception as error:  # reading the image gives the same reason
            return {"unreadable": one_line(error)}

    def _meta_of(self, id: str) -> Mapping[str, Any]:
        return known_of(id, self._meta, self._texts, self._beside)

    def _beside(self, name: str) -> bytes:
        return _read_file(self.root / name, MAX_TEXT)

    def _rows(self, listing: Listing) -> Meta:
        rows = read_rows(listing.metadata, lambda name: _read_file(self.root / name, MAX_TABLE), str(self.root))
        return {printable(name): row for name, row in rows.items()}


def _opened(file: Path, most: int) -> BinaryIO:
    if not file.is_file():
        raise OSError("not a regular file (a broken link?)")
    if file.stat().st_size > most:
        raise OSError(f"{file.stat().st_size} bytes are more than the {most} allowed")
    return file.open("rb")


def _read_file(file: Path, most: int) -> bytes:
    with _opened(file, most) as stream:
        return stream.read()
