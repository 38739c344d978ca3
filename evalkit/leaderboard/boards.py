"""Boards: the figures that share all their terms, who is missing from them, and who could not join and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from evalkit.leaderboard.entrants import Collected, Figure
from evalkit.leaderboard.rank import Order, order
from evalkit.leaderboard.reasons import Overlaps, meeting, renamed, shared_samples, why_missing
from evalkit.leaderboard.set_errors import set_errors
from evalkit.leaderboard.terms import Terms, different
from evalkit.metrics.registry import METRICS
from evalkit.pages.summary import TASKS


@dataclass(frozen=True)
class Missing:
    """An entrant that would belong on a board and has no number there."""

    entrant: int
    reason: str


@dataclass(frozen=True)
class Board:
    """One ranking. `missing`: runs without this number, of the same data or of a part of it; they are in no average.

    `common`: how many samples the numbers had before they were restricted to those that all systems share.
    """

    terms: Terms
    unit: str
    better: str
    order: Order
    missing: tuple[Missing, ...]
    parts: tuple[Terms, ...] = ()  # of an aggregate: the boards that it is the mean of
    left_out: tuple[Missing, ...] = ()  # of an aggregate: who has some of them only
    common: tuple[int, ...] = ()
    name: str = ""

    @property
    def entrants(self) -> tuple[int, ...]:
        """Numbers of the entrants, the best first."""
        return tuple(each.figure.entrant for each in self.order.standings)


@dataclass(frozen=True)
class Apart:
    """Entrants `a` and `b` are on two boards for `metrics`, because of what `differs`: (what, in a, in b).

    `shared`: how many samples both have, on which `--common` could rank them.
    """

    a: tuple[int, ...]
    b: tuple[int, ...]
    metrics: tuple[str, ...]
    differs: tuple[tuple[str, str, str], ...]
    shared: int = 0


@dataclass(frozen=True)
class Boards:
    """All boards in the order of data sets and metrics.

    `apart`: what could not be ranked together. `unmeasured`: reasons by metric. `counts`: metrics without a direction,
    which are never ranked.
    """

    boards: tuple[Board, ...]
    apart: tuple[Apart, ...]
    unmeasured: dict[tuple[str, str], str] = field(default_factory=dict)
    counts: tuple[str, ...] = ()


def make_boards(
    collected: Collected,
    *,
    metrics: Sequence[str] = (),
    common: Mapping[Terms, tuple[int, ...]] | None = None,
    tell: Callable[[int], None] = lambda done: None,
) -> Boards:
    """The boards of all figures, or of those of the named metrics; `common`: of restricted ones the numbers of samples."""
    wanted = [each for each in collected.figures if not metrics or each.terms.metric in metrics]
    figures = [each for each in wanted if each.better != "none"]
    counts = tuple(dict.fromkeys(each.terms.metric for each in wanted if each.better == "none"))
    groups: dict[Terms, list[Figure]] = {}
    for figure in figures:
        if figure.value is not None:
            groups.setdefault(figure.terms, []).append(figure)
    overlaps = Overlaps(common is not None)
    missing = _all_missing(groups, figures, collected, overlaps)
    boards = []
    for terms in sorted(groups, key=_place(groups)):
        group = groups[terms]
        ranked = order(group, shared=set_errors(group, collected.entrants))
        board = Board(terms, group[0].unit, group[0].better, ranked, missing[terms])
        boards.append(replace(board, common=(common or {}).get(terms, ())))
        tell(1)
    measured = {_measure(terms) for terms in groups}
    unmeasured = {
        (each.terms.metric, each.terms.protocol): str(each.reason)
        for each in figures
        if each.value is None and _measure(each.terms) not in measured
    }
    return Boards(tuple(boards), tuple(_apart(list(groups.items()), overlaps)), unmeasured, counts)


def _measure(terms: Terms) -> tuple[str, str]:
    return terms.metric, terms.protocol


def _place(groups: dict[Terms, list[Figure]]) -> Callable[[Terms], tuple[object, ...]]:
    """Boards of most systems first, then tasks, data sets and metrics in their usual order."""
    known, tasks = list(METRICS), list(TASKS)

    def place(terms: Terms) -> tuple[object, ...]:
        metric = known.index(terms.metric) if terms.metric in known else len(known)
        task = tasks.index(terms.task) if terms.task in tasks else len(tasks)
        return (-len(groups[terms]), task, terms.dataset, terms.data, terms.protocol, metric, terms)

    return place


def _all_missing(
    groups: Mapping[Terms, Sequence[Figure]],
    figures: Sequence[Figure],
    collected: Collected,
    overlaps: Overlaps,
) -> dict[Terms, tuple[Missing, ...]]:
    """Who could be on a board and is not: runs of its data and protocol, and runs that share some of its samples."""
    there: dict[tuple[str, str, str], set[int]] = {}
    asked: dict[tuple[str, str], dict[int, list[Figure]]] = {}
    for each in figures:
        there.setdefault(_place_of(each.terms), set()).add(each.entrant)
        asked.setdefault((each.terms.task, each.terms.metric), {}).setdefault(each.entrant, []).append(each)
    met: dict[tuple[str, str, str], list[tuple[Figure, set[int]]]] = {}
    for terms, group in groups.items():
        key = (terms.task, terms.metric, terms.part)
        met.setdefault(key, []).append((group[0], {each.entrant for each in group}))
    found = {}
    for terms, group in groups.items():
        others = met[terms.task, terms.metric, terms.part]
        mine = asked[terms.task, terms.metric]
        near = [who for other, who in others if other.terms != terms and shared_samples(group[0], other, overlaps)]
        absent = there[_place_of(terms)].union(*near) - {each.entrant for each in group}
        found[terms] = tuple(
            Missing(
                who,
                why_missing(
                    group[0],
                    mine.get(who, ()),
                    overlaps,
                    renamed(collected.failed, collected.names, who),
                ),
            )
            for who in sorted(absent)
        )
    return found


def _place_of(terms: Terms) -> tuple[str, str, str]:
    return terms.part, terms.protocol, terms.data


def _apart(groups: Sequence[tuple[Terms, list[Figure]]], overlaps: Overlaps) -> list[Apart]:
    """Pairs of boards of one task and metric, each with entrants that the other lacks; equal reasons are said once."""
    found: dict[tuple[tuple[int, ...], tuple[int, ...], tuple[tuple[str, str, str], ...]], list[str]] = {}
    shared: dict[object, int] = {}
    first = {terms: group[0] for terms, group in groups}
    by_metric: dict[tuple[str, str], list[tuple[Terms, frozenset[int]]]] = {}
    for terms, group in groups:
        by_metric.setdefault((terms.task, terms.metric), []).append((terms, frozenset(f.entrant for f in group)))
    for (_, metric), listed in by_metric.items():
        joined = _together(listed)
        for place, (terms, mine) in enumerate(listed):
            for other, theirs in listed[place + 1 :]:
                if terms.protocol == other.protocol and (terms.dataset == other.dataset or terms.same_data(other)):
                    a, b = mine - theirs, theirs - mine
                else:  # those that meet on another board of the metric are compared there
                    a = frozenset(i for i in mine if not joined[i] & theirs)
                    b = frozenset(i for i in theirs if not joined[i] & mine)
                if a and b:
                    key = (tuple(sorted(a)), tuple(sorted(b)), tuple(different(terms, other)))
                    metrics = found.setdefault(key, [])
                    if key not in shared:
                        shared[key] = meeting(first[terms], first[other], overlaps)
                    if metric not in metrics:
                        metrics.append(metric)
    return [Apart(*key[:2], tuple(metrics), key[2], shared[key]) for key, metrics in found.items()]


def _together(listed: Sequence[tuple[Terms, frozenset[int]]]) -> dict[int, frozenset[int]]:
    """For each entrant, those that it shares a board of this metric with."""
    joined: dict[int, frozenset[int]] = {}
    for _, entrants in listed:
        for i in entrants:
            joined[i] = joined.get(i, frozenset()) | entrants
    return joined
