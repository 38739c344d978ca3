"""Which of several runs is first in a metric, for pages that set runs side by side: as the leaderboard has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalkit.leaderboard.boards import make_boards
from evalkit.leaderboard.collect import collect
from evalkit.pages.summary import First, Key


def firsts(paths: Sequence[Path]) -> dict[Key, First]:
    """By (protocol, task, data set, metric): the run that is first at 95 % confidence, and all that it was ranked with.

    Numbers are places in `paths`. Only runs that a leaderboard ranks together are compared, paired where they can be.
    """
    collected = collect(paths, parts=True)
    place = {entrant.number: list(paths).index(entrant.path) for entrant in collected.entrants}
    found: dict[Key, First] = {}
    for board in make_boards(collected).boards:
        leader, ranked = board.order.standings[0], frozenset(place[who] for who in board.entrants)
        if len(ranked) > 1 and leader.best == leader.worst == 1:
            terms = leader.figure.terms
            key = (terms.protocol, terms.task, terms.dataset, terms.metric)
            found[key] = First(place[leader.figure.entrant], ranked)
    return found
