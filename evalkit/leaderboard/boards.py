"""Boards: the figures that share all their terms, who is missing from them, and who could not join and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from evalkit.leaderboard.collect import Collected, Figure
from evalkit.leaderboard.rank import Order, order
from evalkit.leaderboard.terms import Terms, different
from evalkit.metrics.registry import METRICS
from evalkit.pages.summary import TASKS

SILENT = "the run did not measure it"


@dataclass(frozen=True)
class Missing:
    """An entrant that would belong on a board and has no number there."""

    entrant: int
    reason: str


@dataclass(frozen=True)
class Board:
    """One ranking. `missing`: runs of the same data and protocol without this number; they are in no average."""

    terms: Terms
    unit: str
    better: str
    order: Order
    missing: tuple[Missing, ...]
    parts: tuple[Terms, ...] = ()  # of an aggregate: the boards that it is the mean of
    left_out: tuple[Missing, ...] = ()  # of an aggregate: who has some of them only

    @property
    def entrants(self) -> tuple[int, ...]:
        """Numbers of the entrants, the best first."""
        return tuple(each.figure.entrant for each in self.order.standings)


@dataclass(frozen=True)
class Apart:
    """Entrants `a` and `b` are on two boards for `metrics`, because of what `differs`: (what, in a, in b)."""

    a: tuple[int, ...]
    b: tuple[int, ...]
    metrics: tuple[str, ...]
    differs: tuple[tuple[str, str, str], ...]


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
    collected: Collected, *, metrics: Sequence[str] = (), tell: Callable[[int], None] = lambda done: None
) -> Boards:
    """The boards of all figures, or of those of the named metrics."""
    wanted = [each for each in collected.figures if not metrics or each.terms.metric in metrics]
    figures = [each for each in wanted if each.better != "none"]
    counts = tuple(dict.fromkeys(each.terms.metric for each in wanted if each.better == "none"))
    groups: dict[Terms, list[Figure]] = {}
    for figure in figures:
        if figure.value is not None:
            groups.setdefault(figure.terms, []).append(figure)
    lacking = [figure for figure in figures if figure.value is None]
    missing = _all_missing(groups, figures)
    boards = []
    for terms in sorted(groups, key=_place(groups)):
        group = groups[terms]
        ranked = order(group)
        boards.append(Board(terms, group[0].unit, group[0].better, ranked, missing[terms]))
        tell(1)
    measured = {_measure(terms) for terms in groups}
    unmeasured = {
        (each.terms.metric, each.terms.protocol): str(each.reason)
        for each in lacking
        if _measure(each.terms) not in measured
    }
    return Boards(tuple(boards), tuple(_apart(list(groups.items()))), unmeasured, counts)


def _measure(terms: Terms) -> tuple[str, str]:
    return terms.metric, terms.protocol


def _place(groups: dict[Terms, list[Figure]]) -> Callable[[Terms], tuple[object, ...]]:
    """Data sets with most entrants first, then tasks and metrics in their usual order."""
    known, tasks = list(METRICS), list(TASKS)
    datasets: dict[tuple[str, str], int] = {}
    for terms, group in groups.items():
        key = (terms.part, terms.data)
        datasets[key] = max(datasets.get(key, 0), len(group))

    def place(terms: Terms) -> tuple[object, ...]:
        metric = known.index(terms.metric) if terms.metric in known else len(known)
        task = tasks.index(terms.task) if terms.task in tasks else len(tasks)
        most = datasets[terms.part, terms.data]
        return (-most, task, terms.dataset, terms.data, terms.protocol, metric, terms)

    return place


def _all_missing(
    groups: Mapping[Terms, Sequence[Figure]], figures: Sequence[Figure]
) -> dict[Terms, tuple[Missing, ...]]:
    """Runs that state no value under a board's terms, and runs of its data and protocol that say nothing of the metric."""
    answered: dict[Terms, set[int]] = {}
    for terms, group in groups.items():
        answered.setdefault(_question(terms), set()).update(each.entrant for each in group)
    there: dict[tuple[str, str, str], set[int]] = {}
    said: dict[Terms, dict[int, str]] = {}
    for each in figures:
        there.setdefault(_place_of(each.terms), set()).add(each.entrant)
        if each.value is None:
            said.setdefault(_question(each.terms), {})[each.entrant] = str(each.reason)
    found = {}
    for terms in groups:
        question = _question(terms)
        absent = sorted(there[_place_of(terms)] - answered[question])
        reasons = said.get(question, {})
        found[terms] = tuple(Missing(who, reasons.get(who, SILENT)) for who in absent)
    return found


def _place_of(terms: Terms) -> tuple[str, str, str]:
    return terms.part, terms.protocol, terms.data


def _question(terms: Terms) -> Terms:
    """The terms without what the answer brings along."""
    return replace(terms, n=0, judges="", samples="")


def _apart(groups: Sequence[tuple[Terms, list[Figure]]]) -> list[Apart]:
    """Pairs of boards of one task and metric, each with entrants that the other lacks; equal reasons are said once."""
    found: dict[tuple[tuple[int, ...], tuple[int, ...], tuple[tuple[str, str, str], ...]], list[str]] = {}
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
                    if metric not in metrics:
                        metrics.append(metric)
    return [Apart(a, b, tuple(metrics), differs) for (a, b, differs), metrics in found.items()]


def _together(listed: Sequence[tuple[Terms, frozenset[int]]]) -> dict[int, frozenset[int]]:
    """For each entrant, those that it shares a board of this metric with."""
    joined: dict[int, frozenset[int]] = {}
    for _, entrants in listed:
        for i in entrants:
            joined[i] = joined.get(i, frozenset()) | entrants
    return joined
