"""A leaderboard in the terminal: the boards with most systems in full, and what is not ranked."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from evalkit.cli.screen import Screen
from evalkit.leaderboard.boards import Board
from evalkit.leaderboard.entrants import Entrant
from evalkit.leaderboard.make import Leaderboard
from evalkit.leaderboard.overview import overview
from evalkit.leaderboard.words import brief, rank_text, rules, short_apart, title, verdict, why_apart
from evalkit.text import interval_text, number_text, visible, with_unit

FULL, ROWS, BOARDS, APART = 1, 12, 16, 3  # boards in full, systems of each, boards in a line, reasons


def show_leaderboard(made: Leaderboard, *, explain: bool = False, every_pair: bool = False) -> None:
    """The first board as a table, the verdicts of the others, who is missing or apart, and where the page is.

    `explain`: every reason why runs are apart; `every_pair`: for every pair of them.
    """
    console = Screen()
    seen = overview(made.boards, made.entrants)
    if len(seen.columns) > 1:
        console.print(Text(visible(seen.sentence) + "\n", style="bold"))
    for board in made.boards[:FULL]:
        console.print(_table(board, made.entrants))
        console.print(Text(visible(verdict(board, made.entrants)) + "\n"))
    others = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for heading in ("board", "n", "first"):
        others.add_column(heading, overflow="fold", justify="right" if heading == "n" else "left")
    for board in made.boards[FULL : FULL + BOARDS]:
        arrow = "↑" if board.better == "higher" else "↓"
        name = f"{title(board)} {arrow}"
        others.add_row(Text(visible(name)), f"{board.terms.n:,}", Text(visible(brief(board, made.entrants, 3))))
    if len(made.boards) > FULL:
        console.print(others)
    if len(made.boards) > FULL + BOARDS:
        console.print(Text(f"… and {len(made.boards) - FULL - BOARDS} more boards, on the page\n", style="dim"))
    for path in made.copies:
        console.print(Text(f"counted once, given twice: {visible(str(path))}", style="dim"))
    every = [why_apart(each, made.entrants, names=20) for each in made.apart] if every_pair else []
    reasons = every or short_apart(made.apart, made.entrants)
    shown = reasons if explain or every_pair else reasons[:APART]
    for each in shown:
        console.print(Text(visible(each), style="yellow"))
    if len(reasons) > len(shown):
        console.print(Text(f"… and {len(reasons) - len(shown)} more such reasons, with --explain", style="yellow"))
    elif made.apart and not every_pair and len(made.apart) > len(reasons):
        console.print(Text(f"all {len(made.apart)} pairs, with --explain-all", style="dim"))
    if (explain or every_pair) and not made.apart:
        console.print(Text("all runs that measured the same thing are ranked together"))
    console.print(Text(visible(f"leaderboard: {made.path}"), style="bold"))


def _table(board: Board, entrants: tuple[Entrant, ...]) -> Table:
    arrow = "↑" if board.better == "higher" else "↓"
    table = Table(
        title=Text(visible(f"{title(board)} {arrow} ({rules(board)}; {board.order.pairing})")),
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for heading in ("rank", "system", "value", "95 % interval", "behind the first"):
        table.add_column(heading, justify="left" if heading == "system" else "right", no_wrap=heading != "system")
    tier = 1
    for each in board.order.standings[:ROWS]:
        if each.tier != tier:
            table.add_section()
            tier = each.tier
        figure, gap = each.figure, each.gap
        behind = "" if gap is None else f"{interval_text(gap.low, gap.high) or number_text(gap.value)}"
        table.add_row(
            rank_text(each),
            Text(visible(entrants[figure.entrant].name)),
            with_unit(number_text(figure.value), visible(board.unit)),
            interval_text(figure.low, figure.high) or "none",
            behind,
        )
    if len(board.order.standings) > ROWS:
        table.add_row("…", f"{len(board.order.standings) - ROWS} more, on the page", "", "", "")
    return table
