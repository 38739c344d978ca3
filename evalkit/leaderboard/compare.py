"""Is B better than A? Every metric that both have, paired, with the multiplicity of looking at many of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from evalkit.errors import EvalkitError
from evalkit.leaderboard.boards import Board, make_boards
from evalkit.leaderboard.collect import collect
from evalkit.leaderboard.common import common_samples
from evalkit.leaderboard.entrants import Entrant, Figure
from evalkit.leaderboard.rank import Gap, difference, separated, shared_errors
from evalkit.leaderboard.words import why_apart
from evalkit.pages.labels import metric_label
from evalkit.runs.find import find_runs
from evalkit.runs.store import read_run
from evalkit.stats.multiplicity import holm

Outcome = Literal["better", "worse", "not separated", "unknown"]


@dataclass(frozen=True)
class Pair:
    """One metric of the system `b` against that of `a`; `gap` is b less a, in the metric's unit.

    `adjusted`: its p among all that were compared (Holm); nan where there is none.
    """

    a: Entrant
    b: Entrant
    one: Figure
    two: Figure
    board: Board
    gap: Gap
    adjusted: float = math.nan

    @property
    def outcome(self) -> Outcome:
        """Whether b is better or worse once all comparisons are counted."""
        if math.isnan(self.adjusted):
            return "unknown"
        if not separated(self.adjusted):
            return "not separated"
        return "better" if (self.gap.value > 0) == (self.board.better == "higher") else "worse"

    @property
    def loss(self) -> tuple[float, float | None, float | None]:
        """By how much b is worse than a, with its own 95 % interval; negative where it is better."""
        gap = self.gap
        if self.board.better == "lower":
            return gap.value, gap.low, gap.high
        return -gap.value, None if gap.high is None else -gap.high, None if gap.low is None else -gap.low


@dataclass(frozen=True)
class Comparison:
    """All pairs of the first run with each other one; `left_out`: what could not be compared, and why."""

    entrants: tuple[Entrant, ...]
    pairs: tuple[Pair, ...]
    left_out: tuple[str, ...] = ()


def compare_runs(runs: str | Path | Sequence[str | Path], *, metrics: Sequence[str] = ()) -> Comparison:
    """The first of the sealed `runs` against each other one, in all `metrics` that both have, on the samples of both.

    `runs`: run folders, or folders of runs, of which the first run is the first by name.

    Differences are paired by sample or by prompt; of image sets by their features, against the one reference. Raises
    `EvalkitError` where there are not two runs, or nothing of them can be compared.

    >>> import tempfile
    >>> import evalkit
    >>> from evalkit.jobs.options import RunOptions
    >>> folder = Path(tempfile.mkdtemp())
    >>> runs = evalkit.evaluate_tokenizer(["jpeg-q10", "jpeg-q75"], "sample/photos", tasks=["reconstruction"],
    ...                                   options=RunOptions(out=folder, limit=6, keep="none"))
    >>> compare_runs([run.path for run in runs], metrics=["psnr"]).pairs[0].outcome
    'better'
    """
    collected = collect(find_runs(runs).sealed)
    if len(collected.entrants) < 2:
        raise EvalkitError("a comparison needs two different finished runs; give the folders of both")
    shared = common_samples(collected)
    found = make_boards(shared.collected, metrics=metrics, common=shared.boards)
    entrants = collected.entrants
    pairs = [pair for board in found.boards for pair in _pairs(board, entrants)]
    left_out = [
        f"{metric_label(board.terms.metric)} on {board.terms.dataset}: {entrants[each.entrant].name}: {each.reason}"
        for board in found.boards
        for each in board.missing
    ]
    left_out += [why_apart(each, entrants) for each in found.apart]
    if not pairs:
        said = "\n".join(f"  {each}" for each in left_out[:4]) or "  they have no metric in common"
        raise EvalkitError(f"no number of these {len(entrants)} runs can be compared:\n{said}")
    return Comparison(entrants, _adjusted(pairs), tuple(dict.fromkeys(left_out)))


def _pairs(board: Board, entrants: Sequence[Entrant]) -> list[Pair]:
    figures = {each.figure.entrant: each.figure for each in board.order.standings}
    if 0 not in figures:
        return []
    first = figures.pop(0)
    return [
        Pair(entrants[0], entrants[who], first, figure, board, _gap(entrants[0], entrants[who], first, figure))
        for who, figure in sorted(figures.items())
    ]


def _gap(a: Entrant, b: Entrant, one: Figure, two: Figure) -> Gap:
    """b less a: from kept features where the number is of a set, else from samples or intervals."""
    if one.terms.task == "score" and one.scores is None:
        from evalkit.tasks.score.difference import score_difference  # brings torch along

        found = score_difference(read_run(b.path), read_run(a.path), one.terms.metric)
        if found is not None:
            estimate = found.estimate
            return Gap(estimate.value, estimate.low, estimate.high, estimate.method, found.p)
    shared = shared_errors([two, one])
    covariance = shared.covariance
    error = math.sqrt(max(float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]), 0.0))
    return difference(two, one, error, shared.df)


def _adjusted(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The pairs with the p-values of Holm's method over all that have one."""
    known = [place for place, each in enumerate(pairs) if not math.isnan(each.gap.p)]
    adjusted = dict(zip(known, holm([pairs[place].gap.p for place in known]).tolist(), strict=True)) if known else {}
    return tuple(replace(each, adjusted=adjusted.get(place, math.nan)) for place, each in enumerate(pairs))
