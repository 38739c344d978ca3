"""Why a run has no place on a board: for each way in which a number can be another one, the sentence that is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evalkit.leaderboard.entrants import Figure
from evalkit.leaderboard.terms import Terms, different, kind_of_data
from evalkit.metrics.registry import METRICS
from evalkit.text import counted

SILENT = "it did not measure this metric"
NAMED = 3  # ids that a sentence lists
LEAST = 2  # samples that a common board needs


@dataclass(frozen=True)
class Overlap:
    """Names of samples that two numbers share, and those that only the first or only the second has."""

    both: frozenset[str]
    first: frozenset[str]
    second: frozenset[str]


@dataclass
class Overlaps:
    """Overlaps of numbers, each pair of sample sets looked at once; `common`: they were asked to meet there already."""

    common: bool = False
    _names: dict[str, frozenset[str]] = field(default_factory=dict, repr=False)
    _found: dict[tuple[str, str], Overlap] = field(default_factory=dict, repr=False)

    def of(self, a: Figure, b: Figure) -> Overlap | None:
        """What `a` and `b` share; None where one is not the sum of samples."""
        if a.scores is None or b.scores is None:
            return None
        key = (a.scores.digest, b.scores.digest)
        if key not in self._found:
            one, two = self.names(a), self.names(b)
            apart = one.isdisjoint(two)
            self._found[key] = Overlap(frozenset(), one, two) if apart else Overlap(one & two, one - two, two - one)
        return self._found[key]

    def names(self, figure: Figure) -> frozenset[str]:
        """The names of a number's samples; none where it is not the sum of samples."""
        if figure.scores is None:
            return frozenset()
        digest = figure.scores.digest
        if digest not in self._names:
            self._names[digest] = frozenset(map(str, figure.scores.samples))
        return self._names[digest]


def why_missing(board: Figure, mine: Sequence[Figure], overlaps: Overlaps, failed: frozenset[str] = frozenset()) -> str:
    """Why a run whose figures of the metric are `mine` is not on the board of the figure `board`.

    `failed`: samples that the run could not measure, by their names.
    """
    if not mine:
        return SILENT
    here = board.terms
    nearest = min(mine, key=lambda each: _distance(here, each))
    there = nearest.terms
    if nearest.value is None:
        return str(nearest.reason)
    if here.protocol != there.protocol:
        return f"measured under another protocol, {there.protocol or 'none'} (here {here.protocol or 'none'})"
    if here.rules != there.rules:
        return (
            f"measured under other rules of {here.protocol} (sha256 {_digest(there.rules)}, here {_digest(here.rules)})"
        )
    if here.judges != there.judges:
        return (
            "measured with other weights of evaluator networks "
            f"({there.judges or 'not stated'}; here {here.judges or 'not stated'})"
        )
    if here.part != there.part:
        return f"measured on other data only, {there.dataset} (here {here.dataset})"
    found = overlaps.of(board, nearest)
    said = _other_samples(board, nearest, found, failed)
    meet = found is not None and len(found.both) >= LEAST and not overlaps.common
    return f"{said}; --common ranks it on the samples that all have" if meet else said


def _distance(here: Terms, mine: Figure) -> tuple[bool, bool, bool, int]:
    """How far a figure is from a board: the run's own reason first, then what was measured, by the terms that differ."""
    there = mine.terms
    reason = mine.value is None and (there.part, there.protocol, there.data) == (here.part, here.protocol, here.data)
    return not reason, mine.value is None, there.part != here.part, len(different(here, there))


def shared_samples(a: Figure, b: Figure, overlaps: Overlaps) -> int:
    """How many samples two numbers share; 0 where the rest of their terms is not the same."""
    same = all(getattr(a.terms, name) == getattr(b.terms, name) for name in ("protocol", "rules", "judges", "part"))
    found = overlaps.of(a, b) if same else None
    return 0 if found is None else len(found.both)


def meeting(a: Figure, b: Figure, overlaps: Overlaps) -> int:
    """On how many samples `--common` would rank two numbers that it has not yet brought together."""
    found = shared_samples(a, b, overlaps)
    return 0 if overlaps.common or found < LEAST else found


def never_ranked(metrics: Sequence[str]) -> str:
    """Why counts have no board."""
    return f"{', '.join(metrics)}: of a count no value is better than another, so none is ranked"


def infinite(figure: Figure, name: str) -> str:
    """What an infinite value means on a board."""
    scores = figure.scores
    known = f"{int(scores.infinite):,} of {counted(len(scores.values), 'image')}" if scores is not None else "one image"
    return f"{name} has an infinite value ({known} come back exactly), so no interval separates it from another"


def _other_samples(board: Figure, mine: Figure, found: Overlap | None, failed: frozenset[str]) -> str:
    here, there, what = board.terms, mine.terms, kind_of_data(board.terms)
    if found is None:
        return _whole_set(here, there, what)
    if not found.both:
        return (
            f"measured on other {what} (digest {_digest(there.data)}, here {_digest(here.data)}): no sample is shared"
        )
    n, both = counted(here.n, "sample"), f"{len(found.both):,}"
    if not found.first and not found.second:
        digests = f"digest {_digest(there.data)}, here {_digest(here.data)}"
        return f"measured on the same samples, of another set of {what} ({digests})"
    if not found.second and found.first <= failed:
        lost = counted(len(found.first), "sample")
        return f"{lost} of these {here.n:,} failed in it ({_named(found.first)})"
    if not found.second:
        return f"measured on {both} of these {n}"
    if not found.first:
        return f"measured on all of these {here.n:,} and {len(found.second):,} more"
    return f"measured on {there.n:,} samples, of which {both} are among these {here.n:,}"


def _whole_set(here: Terms, there: Terms, what: str) -> str:
    if here.data != there.data:
        return f"measured against other {what} (digest {_digest(there.data)}, here {_digest(here.data)})"
    if here.n != there.n:
        known = METRICS.find(here.metric)
        reason = "the number of a whole set" if known is not None and known.level == "set" else "such a number"
        return (
            f"measured with n = {there.n:,} (here {here.n:,}); {reason} cannot be taken on a part, so give both one n"
        )
    return f"its samples do not give its number again, so whether they are these {here.n:,} is not known"


def _named(names: frozenset[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:NAMED]) + (f" and {len(listed) - NAMED:,} more" if len(listed) > NAMED else "")


def _digest(value: str) -> str:
    return value[:12] or "not stated"


def renamed(failed: Mapping[int, frozenset[str]], names: Mapping[int, Mapping[str, str]], who: int) -> frozenset[str]:
    """The samples that failed in a run, as all runs call them."""
    called = names.get(who, {})
    return frozenset(called.get(each, each) for each in failed.get(who, ()))
