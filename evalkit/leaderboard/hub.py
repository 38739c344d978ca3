"""The boards' numbers as `.eval_results/*.yaml` of the Hugging Face Hub: one file a system, for its model repository.

Source: huggingface/hub-docs docs/hub/eval-results.md; the form is what huggingface_hub.parse_eval_result_entries reads.
The Hub knows data sets that are registered as benchmarks, so which of them a board is must be said; it has no field for
an interval, a protocol or n, which stand in the notes.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.errors import EvalkitError
from evalkit.leaderboard.boards import Board
from evalkit.leaderboard.entrants import Entrant, Figure
from evalkit.leaderboard.every_eval_ever import safe
from evalkit.pages.labels import metric_label
from evalkit.text import visible


@dataclass(frozen=True)
class Benchmark:
    """A task of a benchmark on the Hub, and what of these boards it is: a metric, or the digest of one board."""

    dataset: str
    task: str
    board: str


def parse_benchmark(text: str) -> Benchmark:
    """From OWNER/NAME:TASK=METRIC (or =BOARD, eight characters); anything else is an `EvalkitError`.

    >>> parse_benchmark("owner/set:val=fid")
    Benchmark(dataset='owner/set', task='val', board='fid')
    """
    found = re.fullmatch(r"([\w.-]+/[\w.-]+):([^=\s]+)=(\S+)", text)
    if found is None:
        raise EvalkitError(
            f"{text!r} names no benchmark; give OWNER/NAME:TASK=METRIC, with the id of a data set on the Hub, a task of "
            "its eval.yaml, and a metric (or a board) of this leaderboard"
        )
    return Benchmark(*found.groups())


def files(boards: Sequence[Board], entrants: Sequence[Entrant], benchmarks: Sequence[Benchmark]) -> dict[str, str]:
    """By file name: the YAML for each system that is on a chosen board."""
    chosen = [(each, _board(boards, each)) for each in benchmarks]
    made = {}
    for entrant in entrants:
        listed = []
        for benchmark, board in chosen:
            for standing in board.order.standings:
                figure = standing.figure
                if figure.entrant == entrant.number and figure.value is not None and math.isfinite(figure.value):
                    listed.append(_entry(benchmark, board, figure, entrant))
        if listed:
            made[f"{entrant.number:03d}-{safe(entrant.name)}.yaml"] = "".join(listed)
    return made


def _entry(benchmark: Benchmark, board: Board, figure: Figure, entrant: Entrant) -> str:
    """One entry; every text is quoted as JSON quotes it, which is YAML too, so that no date or number is made of it."""
    lines = [
        "- dataset:",
        f"    id: {_quoted(benchmark.dataset)}",
        f"    task_id: {_quoted(benchmark.task)}",
        f"  value: {json.dumps(figure.value)}",
    ]
    day = _day(entrant)
    if day is not None:
        lines.append(f"  date: {_quoted(day)}")
    lines.append(f"  notes: {_quoted(_notes(board, figure.low, figure.high, figure.method))}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _board(boards: Sequence[Board], benchmark: Benchmark) -> Board:
    found = [each for each in boards if benchmark.board in (each.terms.metric, each.terms.digest) and not each.parts]
    if len(found) == 1:
        return found[0]
    if not found:
        metrics = ", ".join(sorted({each.terms.metric for each in boards}))
        raise EvalkitError(f"there is no board {benchmark.board!r} for {benchmark.dataset}; metrics here: {metrics}")
    names = "; ".join(f"{each.terms.digest} on {visible(each.terms.dataset)}" for each in found)
    raise EvalkitError(f"{benchmark.board} has several boards; give one by its name instead: {names}")


def _notes(board: Board, low: float | None, high: float | None, method: str) -> str:
    terms = board.terms
    interval = f", 95 % interval {low:.6g} to {high:.6g} ({method})" if low is not None and high is not None else ""
    said = f"{metric_label(terms.metric)}{f' in {board.unit}' if board.unit else ''}, protocol {terms.protocol or 'none'}, "
    return visible(f"{said}n = {terms.n} of {terms.dataset}{interval}; measured with evalkit")


def _day(entrant: Entrant) -> str | None:
    created = str(entrant.record.get("created") or "")
    return created if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", created) else None
