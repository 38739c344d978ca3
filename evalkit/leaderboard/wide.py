"""One table of all boards: a row a system, a column a board, as CSV and as LaTeX for a paper."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from evalkit.leaderboard.boards import Board
from evalkit.leaderboard.entrants import Entrant
from evalkit.leaderboard.rank import Standing
from evalkit.leaderboard.tables import tex_text
from evalkit.leaderboard.words import rules, title
from evalkit.pages.labels import metric_label
from evalkit.text import counted, csv_cell, interval_text, number_text, visible

ROOM = 8  # columns that a page of a paper has room for

Places = Sequence[Mapping[str, Standing]]


def wide_csv(boards: Sequence[Board], entrants: Sequence[Entrant]) -> str:
    """A row a system, and of each board the value, both ends of its 95 % interval, and n."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    ends = ("", " low", " high", " n")
    writer.writerow(["system", *(csv_cell(visible(title(board))) + end for board in boards for end in ends)])
    places = _places(boards, entrants)
    for name in _systems(entrants):
        cells: list[object] = []
        for board, place in zip(boards, places, strict=True):
            found = place.get(name)
            figure = None if found is None else found.figure
            cells += [None] * 4 if figure is None else [figure.value, figure.low, figure.high, board.terms.n]
        writer.writerow([csv_cell(visible(name)), *cells])
    return stream.getvalue()


def wide_latex(boards: Sequence[Board], entrants: Sequence[Entrant]) -> str:
    r"""A booktabs table over all boards: values with 95 % intervals, bold where a system is first at 95 % confidence.

    The caption names data, protocol and n of each column. A comment says so where a page has no room for the columns.
    """
    places = _places(boards, entrants)
    many = f"% {counted(len(boards), 'column')}; choose fewer with --metric" if len(boards) > ROOM else ""
    measured = "; ".join(f"{title(board)}: {rules(board)}" for board in boards)
    lines = [
        "% \\usepackage{booktabs}",
        *([many] if many else []),
        "\\begin{table}",
        "\\centering",
        "\\caption{Values with 95\\,\\% intervals in brackets; bold: first at 95\\,\\% confidence. "
        + tex_text(measured)
        + ".}",
        "\\label{tab:systems}",
        f"\\begin{{tabular}}{{l{'l' * len(boards)}}}",
        "\\toprule",
        " & ".join(["System", *(tex_text(_heading(board)) for board in boards)]) + " \\\\",
        "\\midrule",
    ]
    for name in _systems(entrants):
        cells = [_tex_cell(board, place.get(name)) for board, place in zip(boards, places, strict=True)]
        lines.append(" & ".join([tex_text(name), *cells]) + " \\\\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", "\\end{table}", ""])


def _systems(entrants: Sequence[Entrant]) -> list[str]:
    """Names in the order of the runs; runs of one name are one system's."""
    return list(dict.fromkeys(each.name for each in entrants))


def _places(boards: Sequence[Board], entrants: Sequence[Entrant]) -> Places:
    return [{entrants[each.figure.entrant].name: each for each in reversed(board.order.standings)} for board in boards]


def _heading(board: Board) -> str:
    unit = f" ({board.unit})" if board.unit else ""
    return f"{metric_label(board.terms.metric)}{unit} {'↑' if board.better == 'higher' else '↓'}"


def _tex_cell(board: Board, standing: Standing | None) -> str:
    if standing is None:
        return "---"
    figure = standing.figure
    value = tex_text(number_text(figure.value))
    if standing.best == standing.worst == 1 and len(board.entrants) > 1:
        value = f"\\textbf{{{value}}}"
    between = interval_text(figure.low, figure.high)
    return f"{value} {{\\scriptsize [{tex_text(between)}]}}" if between else value
