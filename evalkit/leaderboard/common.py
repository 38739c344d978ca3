"""Numbers of the samples that all systems share: asked for with --common, and stated with their count.

Figures of one question that share samples are taken again on those that all of them have. A run that shares none with
the others keeps its own board, and so does a number that is not the sum of samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evalkit.leaderboard.collect import chosen, read_results, sample_table
from evalkit.leaderboard.entrants import Collected, Figure
from evalkit.leaderboard.reasons import LEAST, Overlaps
from evalkit.leaderboard.same_samples import question
from evalkit.leaderboard.samples import SampleTable
from evalkit.leaderboard.scores import Restricted, names_digest
from evalkit.leaderboard.terms import Terms
from evalkit.metrics.base import Estimate
from evalkit.metrics.metric import Parts
from evalkit.metrics.registry import METRICS
from evalkit.protocols import load_protocol
from evalkit.stats.intervals import UNBOUNDED, mean_interval, ratio_interval


@dataclass(frozen=True)
class Common:
    """Figures with those restricted that need it; `boards`: of each restricted board, the numbers of samples before."""

    collected: Collected
    boards: Mapping[Terms, tuple[int, ...]]


def common_samples(collected: Collected, *, parts: bool = False) -> Common:
    """Every group of figures that share samples, on the samples that all of the group have."""
    figures = list(collected.figures)
    wanted: dict[int, dict[int, frozenset[str]]] = {}  # by entrant and place of the figure: names to keep
    sizes: dict[int, tuple[int, ...]] = {}
    for group, names in _groups(figures):
        counts = tuple(sorted({len(s.samples) for place in group if (s := figures[place].scores) is not None}))
        for place in group:
            wanted.setdefault(figures[place].entrant, {})[place] = names
            sizes[place] = counts
    boards: dict[Terms, tuple[int, ...]] = {}
    for who, places in sorted(wanted.items()):
        results = chosen(read_results(collected.entrants[who].path), parts=parts)
        table = sample_table(collected.entrants[who], results)
        called = table.called(collected.names.get(who, {}))
        rows = {_key(row): row for row in results}
        for place, names in places.items():
            figure = figures[place]
            made = _restricted(figure, table, rows[_of(figure)], np.isin(called, list(names)), collected.names.get(who))
            if made is not None:
                figures[place] = made
                boards[made.terms] = sizes[place]
    return Common(replace(collected, figures=tuple(figures)), boards)


def _groups(figures: Sequence[Figure]) -> list[tuple[list[int], frozenset[str]]]:
    """Places of figures that share samples but have not all the same, with the names that all of them have."""
    asked: dict[tuple[str, ...], list[int]] = {}
    for place, each in enumerate(figures):
        if each.scores is not None and each.better != "none":
            asked.setdefault(question(each), []).append(place)
    overlaps, found = Overlaps(), []
    for places in asked.values():
        for group in _joined([figures[place] for place in places], places, overlaps):
            if len({(figures[place].terms, _digest(figures[place])) for place in group}) > 1:
                names = frozenset.intersection(*(overlaps.names(figures[place]) for place in group))
                if len(names) >= LEAST:
                    found.append((group, names))
    return found


def _joined(figures: Sequence[Figure], places: Sequence[int], overlaps: Overlaps) -> list[list[int]]:
    """Groups whose members share samples with another member, directly or through others."""
    groups: list[tuple[list[int], list[Figure]]] = []
    for figure, place in zip(figures, places, strict=True):
        met = [g for g in groups if any((o := overlaps.of(figure, other)) is not None and o.both for other in g[1])]
        kinds = {_digest(figure): figure} | {_digest(other): other for g in met for other in g[1]}
        merged = ([place, *(each for g in met for each in g[0])], list(kinds.values()))
        groups = [*(g for g in groups if g not in met), merged]
    return [sorted(group) for group, _ in groups]


def _restricted(
    figure: Figure, table: SampleTable, row: Mapping[str, Any], mine: Any, names: Mapping[str, str] | None
) -> Figure | None:
    """The figure on the rows `mine`; None where its number does not follow from samples."""
    made = table.restricted(row, float(figure.value or 0.0), mine)
    if made is None:
        return None
    scores = made.scores if names is None else made.scores.renamed(names)
    estimate = _estimate(figure, made)
    known = math.isfinite(estimate.value)
    digest = names_digest(scores.samples)
    terms = replace(figure.terms, n=len(scores.values), data=digest, samples=digest if figure.terms.samples else "")
    return replace(
        figure,
        terms=terms,
        value=made.value,
        low=estimate.low if known else None,
        high=estimate.high if known else None,
        method=estimate.method,
        scores=scores,
    )


def _estimate(figure: Figure, made: Restricted) -> Estimate:
    """The interval of what follows from samples; of a function of their mean, that which the metric states."""
    declared, scores = METRICS.find(figure.terms.metric), made.scores
    limits = (declared.low, declared.high) if declared else UNBOUNDED
    if scores.plain:
        return mean_interval(scores.values, clusters=scores.clusters, range=limits)
    if scores.weights is not None and scores.gradient == 1.0:
        return ratio_interval(scores.values, scores.weights, clusters=scores.clusters, range=limits)
    if declared is not None and declared.aggregate is not None:
        found = declared.aggregate(Parts(made.rows, load_protocol(figure.terms.protocol)))
        if found is not None and math.isclose(found.value, made.value, rel_tol=1e-9, abs_tol=1e-12):
            return found
    said = "no interval: this number has none on a part of its samples"
    return Estimate(made.value, None, None, len(scores.values), said)


def _digest(figure: Figure) -> str:
    return figure.scores.digest if figure.scores is not None else ""


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return str(row["task"]), str(row["dataset"]), str(row["metric"]), str(row["protocol"])


def _of(figure: Figure) -> tuple[str, ...]:
    terms = figure.terms
    return terms.task, terms.dataset, terms.metric, terms.protocol
