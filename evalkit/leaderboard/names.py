"""Names that tell boards apart: metric and data, and of two that share both the first rule that differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from evalkit.leaderboard.boards import Board
from evalkit.leaderboard.terms import Terms
from evalkit.leaderboard.words import plain_title

FURTHER: tuple[tuple[str, Callable[[Terms], str]], ...] = (
    ("protocol", lambda terms: terms.protocol or "no protocol"),
    ("task", lambda terms: terms.task),
    ("n", lambda terms: f"n = {terms.n:,}"),
    ("rules", lambda terms: f"rules {terms.rules[:8] or 'not stated'}"),
    ("judges", lambda terms: f"judged by {terms.judges or 'nobody'}"),
    ("data", lambda terms: f"data {terms.data[:8] or 'not stated'}"),
    ("samples", lambda terms: f"samples {terms.samples[:8] or 'not stated'}"),
)


def named(boards: Sequence[Board]) -> tuple[Board, ...]:
    """The boards with a name each that no other one has."""
    names = [plain_title(board) for board in boards]
    further: list[list[str]] = [[] for _ in boards]
    for field, words in FURTHER:
        counts = Counter(zip(names, map(tuple, further), strict=True))
        groups = [(name, tuple(more)) for name, more in zip(names, further, strict=True)]
        for place, board in enumerate(boards):
            if counts[groups[place]] > 1:
                rivals = [each for each, group in zip(boards, groups, strict=True) if group == groups[place]]
                if len({getattr(each.terms, field) for each in rivals}) > 1:
                    further[place].append(words(board.terms))
    return tuple(
        replace(board, name=f"{name} ({', '.join(more)})" if more else name)
        for board, name, more in zip(boards, names, further, strict=True)
    )
