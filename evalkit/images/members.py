"""Image sets whose sources are named members of something: an archive, an object store."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from evalkit.images.cost import most_bytes
from evalkit.images.folder import MAX_TABLE, MAX_TEXT
from evalkit.images.hashing import HashedSet
from evalkit.images.listing import Listing, printable
from evalkit.images.loader import one_line, read_ahead, sample_from_bytes
from evalkit.images.metadata import known_of, read_rows, texts_of
from evalkit.images.sample import Admit, Load, Sample, Unreadable


class MemberSet(HashedSet):
    """The images among members; texts and metadata are found as in a folder."""

    def _list(self, names: Iterable[str]) -> None:
        """Sort the members by use."""
        listing = Listing()
        for name in names:
            listing.add(name, partial(self._head, name))
        listing.settle()
        order = sorted((printable(name), name) for name in listing.images)
        self._ids, self._names = [id for id, _ in order], [name for _, name in order]
        rows = read_rows(listing.metadata, partial(self._member, most=MAX_TABLE), self.spec)
        self._meta = {printable(name): row for name, row in rows.items()}
        self._texts = {printable(stem): file for stem, file in texts_of(listing.texts).items()}
        self.skipped = dict(listing.skipped)
        self.unmatched = sorted(set(self._meta) - set(self._ids))

    @abstractmethod
    def _head(self, name: str) -> bytes:
        """A member's first bytes; none where it cannot be read."""

    @abstractmethod
    def _member(self, name: str, most: int) -> bytes:
        """A member's bytes; raises OSError where there are more than `most`."""

    def ids(self) -> Sequence[str]:
        """Member names, sorted; a backslash is doubled."""
        return self._ids

    def read(self, start: int, stop: int, *, threads: int = 2) -> Iterator[Sample | Unreadable]:
        """Samples in order, decoded by the threads."""
        return read_ahead(self.loads(start, stop), threads)

    def loads(self, start: int, stop: int) -> Iterator[Load]:
        """One for each image."""
        return (partial(self._load, index) for index in range(start, min(stop, len(self._names))))

    def known(self, index: int) -> Mapping[str, Any]:
        """Its metadata and the text beside it, or why that cannot be read."""
        try:
            return self._meta_of(self._ids[index])
        except Exception as error:  # reading the image gives the same reason
            return {"unreadable": one_line(error)}

    def _load(self, index: int, admit: Admit) -> Sample | Unreadable:
        name, id = self._names[index], self._ids[index]
        return sample_from_bytes(id, lambda: self._member(name, most_bytes()), lambda: self._meta_of(id), admit)

    def _meta_of(self, id: str) -> Mapping[str, Any]:
        return known_of(id, self._meta, self._texts, partial(self._member, most=MAX_TEXT))
