"""One number over several data sets: only where it is asked for, and only over what all systems in it have."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import t

from evalkit.errors import EvalkitError
from evalkit.leaderboard.boards import Board, Missing
from evalkit.leaderboard.entrants import Collected, Figure
from evalkit.leaderboard.rank import LEVEL, Shared, order, shared_errors
from evalkit.leaderboard.terms import Terms

TASK = "aggregate"


def aggregates(boards: Sequence[Board], collected: Collected, metric: str) -> list[Board]:
    """A board of the mean of `metric` over data sets for each protocol; every data set counts the same.

    Systems that lack one of the data sets are left out, and are named. Raises `EvalkitError` where there is nothing to
    take a mean of.
    """
    groups: dict[tuple[str, str, str], list[Board]] = {}
    for board in boards:
        if board.terms.metric == metric and len(board.entrants) > 1:
            groups.setdefault((board.terms.protocol, board.terms.rules, board.terms.judges), []).append(board)
    made = [_mean(group, collected) for group in groups.values() if len(group) > 1]
    if not made:
        known = sorted({board.terms.metric for board in boards})
        said = "no two of its boards have two systems each" if metric in known else f"give one of {', '.join(known)}"
        raise EvalkitError(f"there is no mean of {metric!r} over data sets: {said}")
    return made


def _mean(group: Sequence[Board], collected: Collected) -> Board:
    common = set.intersection(*(set(board.entrants) for board in group))
    everyone = set.union(*(set(board.entrants) for board in group))
    if len(common) < 2:
        names = "; ".join(
            f"{board.terms.dataset} has {', '.join(collected.entrants[i].name for i in sorted(board.entrants))}"
            for board in group
        )
        raise EvalkitError(
            f"no two systems have {group[0].terms.metric} on all of its {len(group)} data sets, so there is no common set "
            f"to take a mean over: {names}"
        )
    entrants = sorted(common)
    picked = [_figures(board, entrants) for board in group]
    errors = [shared_errors(figures) for figures in picked]
    covariance = sum((each.covariance for each in errors), np.zeros((len(entrants),) * 2)) / len(group) ** 2
    df = min(each.df for each in errors)
    words = sorted({each.pairing for each in errors})
    shared = Shared(covariance, df, f"{', '.join(words)}, within each data set")
    half = float(t.ppf((1 + LEVEL) / 2, df)) if math.isfinite(df) else 1.959964
    terms = _terms(group)
    figures = []
    for place in range(len(entrants)):
        values = [float(part[place].value or 0.0) for part in picked]
        value = sum(values) / len(values)
        error = math.sqrt(covariance[place, place]) if covariance[place, place] >= 0 else math.nan
        known = math.isfinite(error) and math.isfinite(value)
        figures.append(
            replace(
                picked[0][place],
                terms=terms,
                value=value,
                low=value - half * error if known else None,
                high=value + half * error if known else None,
                method=f"mean of {len(group)} data sets, each counting the same; t from the errors of each"
                if known
                else "no interval: one of the data sets has none",
                scores=None,
            )
        )
    left = tuple(
        Missing(who, f"not on {', '.join(b.terms.dataset for b in group if who not in b.entrants)}")
        for who in sorted(everyone - common)
    )
    ranked = order(figures, shared=shared)
    return Board(terms, group[0].unit, group[0].better, ranked, (), tuple(board.terms for board in group), left)


def _figures(board: Board, entrants: Sequence[int]) -> list[Figure]:
    mine = {each.figure.entrant: each.figure for each in board.order.standings}
    return [mine[entrant] for entrant in entrants]


def _terms(group: Sequence[Board]) -> Terms:
    first = group[0].terms
    parts = "\0".join(board.terms.digest for board in group)
    digest = hashlib.sha256(parts.encode()).hexdigest()
    name = f"mean of {', '.join(board.terms.dataset for board in group)}"
    n = sum(board.terms.n for board in group)
    return replace(first, task=TASK, dataset=name, n=n, data=digest, samples="", part="")
