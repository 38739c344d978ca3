"""Several image sets as one, each under its own prefix."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from evalkit.images.sample import ImageSet, Sample, Unreadable


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
        for number, (prefix, member, meta) in enumerate(self._members):
            begin = self._begin(number)
            low, high = max(start - begin, 0), min(stop, self._ends[number]) - begin
            if low < high:
                for each in member.read(low, high, threads=threads):
                    named = replace(each, id=f"{prefix}/{each.id}")
                    yield replace(named, meta={**meta, **named.meta}) if isinstance(named, Sample) else named

    def _begin(self, number: int) -> int:
        return self._ends[number - 1] if number else 0
