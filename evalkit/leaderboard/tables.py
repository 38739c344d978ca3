"""The boards as rows: CSV, Markdown and LaTeX, each with all that the page shows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from evalkit.leaderboard.boards import Apart, Board
from evalkit.leaderboard.entrants import Entrant
from evalkit.leaderboard.reported import Reported
from evalkit.leaderboard.words import chance_text, flip_text, rank_text, rules, title, unit_word, verdict, why_apart
from evalkit.pages.labels import metric_label
from evalkit.text import csv_cell, interval_text, number_text, visible

COLUMNS = (
    *("board", "task", "dataset", "metric", "protocol", "data_digest", "unit", "better", "status", "system", "model"),
    *("run", "value", "low", "high", "ci_method", "n", "rank", "rank_best", "rank_worst", "tier", "chance_first"),
    *("gap_to_first", "gap_low", "gap_high", "gap_method", "pairing", "flip", "flip_units", "reason", "source"),
)


def rows(
    boards: Sequence[Board], entrants: Sequence[Entrant], reported: Sequence[Sequence[Reported]]
) -> Iterator[dict[str, Any]]:
    """One row a number, measured, missing or reported, with the names of `COLUMNS`; None where there is nothing."""
    for board, stated in zip(boards, reported, strict=True):
        terms = board.terms
        shared = {
            "board": terms.digest,
            "task": terms.task,
            "dataset": terms.dataset,
            "metric": terms.metric,
            "protocol": terms.protocol,
            "data_digest": terms.data,
            "unit": board.unit,
            "better": board.better,
            "pairing": board.order.pairing,
        }
        blank = dict.fromkeys(COLUMNS) | shared
        for each in board.order.standings:
            figure, gap, flip = each.figure, each.gap, each.flip
            yield (
                blank
                | _who(entrants[figure.entrant])
                | {
                    "status": "measured",
                    "value": figure.value,
                    "low": figure.low,
                    "high": figure.high,
                    "ci_method": figure.method,
                    "n": terms.n,
                    "rank": each.rank,
                    "rank_best": each.best,
                    "rank_worst": each.worst,
                    "tier": each.tier,
                    "chance_first": None if each.first != each.first else each.first,
                    "gap_to_first": gap and gap.value,
                    "gap_low": gap and gap.low,
                    "gap_high": gap and gap.high,
                    "gap_method": gap and gap.method,
                    "flip": flip and flip.count,
                    "flip_units": flip and flip.units,
                }
            )
        for lack in (*board.missing, *board.left_out):
            yield blank | _who(entrants[lack.entrant]) | {"status": "missing", "reason": lack.reason}
        for number in stated:
            yield blank | {
                "status": "reported" if number.verified else "reported, unverified",
                "system": number.name,
                "value": number.value,
                "reason": number.apart,
                "source": f"{number.setting} ({number.source})",
            }


def _who(entrant: Entrant) -> dict[str, str]:
    return {"system": entrant.name, "model": entrant.model, "run": entrant.folder}


def csv_text(listed: Sequence[dict[str, Any]]) -> str:
    """The rows as CSV; infinities are written inf and -inf, and no text begins as a formula does."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in listed:
        writer.writerow({name: csv_cell(value) for name, value in row.items()})
    return stream.getvalue()


def markdown_text(
    boards: Sequence[Board],
    entrants: Sequence[Entrant],
    reported: Sequence[Sequence[Reported]],
    apart: Sequence[Apart],
) -> str:
    """A table a board, with its verdict, what is missing and what is reported."""
    lines = ["# Leaderboard", ""]
    for board, stated in zip(boards, reported, strict=True):
        arrow = "↑" if board.better == "higher" else "↓"
        lines += [
            f"## {md_text(title(board))} {arrow}",
            "",
            f"{md_text(rules(board))}; {md_text(board.order.pairing)}. ",
        ]
        lines[-1] += md_text(verdict(board, entrants))
        unit = f" ({board.unit})" if board.unit else ""
        lines += ["", f"| rank | tier | system | {md_text(metric_label(board.terms.metric) + unit)} | 95 % interval | "]
        lines[-1] += f"behind the first | chance first | {unit_word(board)}s that flip |"
        lines += ["|---|---|---|--:|---|---|--:|--:|"]
        for each in board.order.standings:
            figure, gap = each.figure, each.gap
            behind = "—" if gap is None else number_text(gap.value)
            if gap is not None and gap.low is not None:
                behind += f" ({interval_text(gap.low, gap.high)})"
            cells = (
                *(rank_text(each), str(each.tier), entrants[figure.entrant].name, number_text(figure.value)),
                *(interval_text(figure.low, figure.high) or "—", behind, chance_text(each.first)),
                flip_text(each),
            )
            lines.append(f"| {' | '.join(map(md_text, cells))} |")
        lines.append("")
        lines += [f"- not ranked: {md_text(entrants[m.entrant].name)}: {md_text(m.reason)}" for m in board.missing]
        lines += [f"- left out: {md_text(entrants[m.entrant].name)}: {md_text(m.reason)}" for m in board.left_out]
        for number in stated:
            sure = "" if number.verified else ", unverified"
            said = (
                f"{number.name} {number_text(number.value)} ({number.setting}; {number.source}{sure}): {number.apart}"
            )
            lines.append(f"- reported: {md_text(said)}")
        lines.append("")
    if apart:
        lines += ["## Not ranked together", "", *(f"- {md_text(why_apart(each, entrants))}" for each in apart), ""]
    return "\n".join(lines).rstrip() + "\n"


def md_text(text: str) -> str:
    """Text that Markdown takes for nothing else."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", " ".join(visible(text, 2000).split()))


def latex_text(boards: Sequence[Board], entrants: Sequence[Entrant]) -> str:
    r"""A booktabs table a board; needs \usepackage{booktabs} and a Unicode engine, or inputenc."""
    lines = ["% \\usepackage{booktabs}"]
    for board in boards:
        heading = " & ".join(
            ("Rank", "System", tex_text(metric_label(board.terms.metric) + (f" ({board.unit})" if board.unit else "")))
        )
        lines += [
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{tex_text(title(board))} ({tex_text(rules(board))}; {tex_text(board.order.pairing)}). "
            f"Ranks hold together at 95\\,\\%. {tex_text(verdict(board, entrants))}}}",
            f"\\label{{tab:{board.terms.digest}}}",
            "\\begin{tabular}{lllll}",
            "\\toprule",
            f"{heading} & 95\\,\\% interval & Behind the first \\\\",
            "\\midrule",
        ]
        tier = 1
        for each in board.order.standings:
            if each.tier != tier:
                lines.append("\\addlinespace")
                tier = each.tier
            gap = each.gap
            behind = "---" if gap is None else number_text(gap.value)
            cells = (
                *(rank_text(each), entrants[each.figure.entrant].name, number_text(each.figure.value)),
                *(interval_text(each.figure.low, each.figure.high) or "—", behind),
            )
            lines.append(" & ".join(map(tex_text, cells)) + " \\\\")
        lines += ["\\bottomrule", "\\end{tabular}", "\\end{table}", ""]
    return "\n".join(lines)


_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: f"\\{c}" for c in "#$%&_"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "−": "$-$",
    "∞": r"$\infty$",
    "—": "---",
    "–": "--",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "\u202f": r"\,",
}


def tex_text(text: str) -> str:
    """Text that LaTeX takes for nothing else."""
    return "".join(_TEX.get(c, c) for c in " ".join(visible(text, 2000).split(" ")))
