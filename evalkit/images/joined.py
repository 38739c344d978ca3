"""Several image sets as one, each under its own prefix."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Any

from evalkit.images.sample import Admit, ImageSet, Load, Sample, Unreadable


class JoinedSet(ImageSet):
    """The members' samples one set after the other; ids get the member's prefix, samples its meta besides their own."""

    def __init__(self, spec: str, name: str, members: Sequence[tuple[str, ImageSet, Mapping[str, Any]]]) -> None:
        self.spec, self.name, self._members = spec, name, list(members)
        self._ends = list(accumulate(len(member) for _, member, _ in self._members))
        self._ids = [f"{prefix}/{each}" for prefix, member, _ in self._members for each in member.ids()]
        skipped: Counter[str] = Counter()
        for _, member, _ in self._members:
            skipped.update(member.skipped)
        self.skipped = dict(skipped)
        self.unmatched = [f"{prefix}/{each}" for prefix, member, _ in self._members for each in member.unmatched]
        revisions = list(dict.fromkeys(member.revision for _, member, _ in self._members if member.revision))
        self.revision = ", ".join(revisions) or None

    def ids(self) -> Sequence[str]:
        """`prefix/id` of each sample."""
        return self._ids

    def fingerprint(self, index: int) -> str:
        """The member's own."""
        number = bisect_right(self._ends, index)
        return self._members[number][1].fingerprint(index - self._begin(number))

    def fingerprints(self, count: int | None = None) -> list[str]:
        """Those of the members, each asked once."""
        left = len(self) if count is None else count
        found: list[str] = []
        for _, member, _ in self._members:
            found += member.fingerprints(min(left - len(found), len(member)))
        return found

    def known(self, index: int) -> Mapping[str, Any]:
        """The member's own, and what all of the member share."""
        number = bisect_right(self._ends, index)
        _, member, meta = self._members[number]
        return {**meta, **member.known(index - self._begin(number))}

    def read(self, start: int, stop: int, *, threads: int = 2) -> Iterator[Sample | Unreadable]:
        """Samples in order, across members."""
        for number, low, high in self._ranges(start, stop):
            for each in self._members[number][1].read(low, high, threads=threads):
                yield self._named(number, each)

    def loads(self, start: int, stop: int) -> Iterator[Load] | None:
        """Those of the members, where all that are asked have them."""
        theirs = [
            (number, self._members[number][1].loads(low, high)) for number, low, high in self._ranges(start, stop)
        ]
        if any(loads is None for _, loads in theirs):
            return None
        return (partial(self._load, number, load) for number, loads in theirs for load in loads or ())

    def _load(self, number: int, load: Load, admit: Admit) -> Sample | Unreadable:
        return self._named(number, load(admit))

    def _named(self, number: int, each: Sample | Unreadable) -> Sample | Unreadable:
        prefix, _, meta = self._members[number]
        named = replace(each, id=f"{prefix}/{each.id}")
        return replace(named, meta={**meta, **named.meta}) if isinstance(named, Sample) else named

    def _ranges(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """(member, first, last exclusive) of the members that hold some of the samples."""
        for number in range(len(self._members)):
            begin = self._begin(number)
            low, high = max(start - begin, 0), min(stop, self._ends[number]) - begin
            if low < high:
                yield number, low, high

    def _begin(self, number: int) -> int:
        return self._ends[number - 1] if number else 0
