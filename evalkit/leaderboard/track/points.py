"""From runs of checkpoints to a series: each value with its interval, its change, and whether it may be the best."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.leaderboard.boards import Board, make_boards
from evalkit.leaderboard.collect import collect
from evalkit.leaderboard.common import common_samples
from evalkit.leaderboard.entrants import Entrant
from evalkit.leaderboard.rank import Gap, Standing, difference
from evalkit.leaderboard.words import rules, title
from evalkit.text import listed, number_text, with_unit


@dataclass(frozen=True)
class Point:
    """One checkpoint: its `step` and value; `change` since the checkpoint before, with an interval of its own (None: first).

    `maybe_best`: its rank interval begins at 1.
    """

    step: float
    entrant: Entrant
    standing: Standing
    change: Gap | None

    @property
    def maybe_best(self) -> bool:
        """Whether no checkpoint is surely better."""
        return self.standing.best == 1


@dataclass(frozen=True)
class Track:
    """The series of one board, by step; `left_out`: runs that are not on it, and why."""

    board: Board
    points: tuple[Point, ...]
    left_out: tuple[str, ...]

    @property
    def title(self) -> str:
        """The metric and its data."""
        return title(self.board)

    @property
    def sentence(self) -> str:
        """Which checkpoint is the best, or which may be."""
        top = max(self.points, key=lambda each: -each.standing.rank)
        value = with_unit(number_text(top.standing.figure.value), self.board.unit)
        best = "highest" if self.board.better == "higher" else "lowest"
        rivals = [step_text(each.step) for each in self.points if each.maybe_best]
        start = f"Step {step_text(top.step)} has the {best} value, {value} ({rules(self.board)})"
        if len(rivals) == 1:
            return f"{start}, and is first among all at 95 % confidence."
        return f"{start}; the steps {listed(rivals)} cannot be separated at 95 % confidence."


def track_runs(runs: Sequence[str | Path], *, metric: str, steps: Sequence[float] = ()) -> tuple[Track, ...]:
    """`metric` over the checkpoints that `runs` evaluated, on the samples that all of them have; a series each data set.

    `steps`: one number a run, in their order; by default the last number in the name of each run's folder. Raises
    `EvalkitError` where there are not two runs, not one step a run, or no two runs can be compared.
    """
    collected = collect([Path(run) for run in runs])
    entrants = collected.entrants
    if len(entrants) < 2:
        raise EvalkitError("a training has at least two checkpoints; give a run for each")
    at = _steps(entrants, steps)
    shared = common_samples(collected)
    boards = [
        board
        for board in make_boards(shared.collected, metrics=[metric], common=shared.boards).boards
        if len(board.entrants) > 1
    ]
    if not boards:
        raise EvalkitError(f"no two of these runs can be compared in {metric}; see why: evalkit leaderboard --explain")
    return tuple(_series(board, entrants, at) for board in boards)


def _series(board: Board, entrants: Sequence[Entrant], at: Sequence[float]) -> Track:
    order, errors = board.order.standings, board.order.errors
    places = sorted(range(len(order)), key=lambda place: at[order[place].figure.entrant])
    points = []
    for before, place in zip([None, *places], places, strict=False):
        standing = order[place]
        change = None
        if before is not None:
            error = float(errors[min(before, place), max(before, place)])
            change = difference(
                standing.figure, order[before].figure, error, board.order.df, pairing=board.order.pairing
            )
        who = standing.figure.entrant
        points.append(Point(at[who], entrants[who], standing, change))
    left = tuple(f"{entrants[each.entrant].name}: {each.reason}" for each in board.missing)
    return Track(board, tuple(points), left)


def _steps(entrants: Sequence[Entrant], given: Sequence[float]) -> list[float]:
    if given:
        if len(given) != len(entrants) or len(set(given)) != len(given):
            raise EvalkitError(f"{len(given)} steps were given for {len(entrants)} runs; give a different one for each")
        return list(given)
    numbers = [re.findall(r"\d+(?:\.\d+)?", each.folder) for each in entrants]
    found = [float(each[-1]) for each in numbers if each]
    if len(set(found)) != len(entrants):
        raise EvalkitError("the runs' folders do not end in a different number each; give --steps 1000,2000,…")
    return found


def step_text(step: float) -> str:
    """A step without a fraction where it has none.

    >>> step_text(1000.0), step_text(0.5)
    ('1,000', '0.5')
    """
    return f"{int(step):,}" if step == int(step) else f"{step:g}"
