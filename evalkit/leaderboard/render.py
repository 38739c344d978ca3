"""The page: every board as a table that reads without scripts, and what scripts add to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from evalkit.leaderboard import words
from evalkit.leaderboard.boards import Board, Boards
from evalkit.leaderboard.drill import write_script
from evalkit.leaderboard.entrants import Collected
from evalkit.leaderboard.overview import overview
from evalkit.leaderboard.plot import Axis, axis_of, interval_svg
from evalkit.leaderboard.reasons import exact_note, never_ranked
from evalkit.leaderboard.reported import Reported
from evalkit.pages.html import csp_hash, environment, house_style
from evalkit.pages.labels import metric_label, metric_title
from evalkit.pages.view.images import address
from evalkit.runs.store import write_bytes
from evalkit.text import interval_text, number_text
from evalkit.version import __version__

INLINE = 3_000_000  # bytes of boards in the page itself; further ones are loaded when they are chosen


@dataclass(frozen=True)
class Section:
    """A board as the templates want it."""

    board: Board
    reported: tuple[Reported, ...]
    axis: Axis

    @property
    def id(self) -> str:
        """Name of the section in the page's address."""
        return f"b-{self.board.terms.digest}"


def write_page(
    folder: Path,
    boards: Sequence[Board],
    collected: Collected,
    reported: Sequence[Sequence[Reported]],
    found: Boards,
    formats: Sequence[tuple[str, str]],
    created: str,
) -> Path:
    """Write index.html; boards that would make it larger than 5 MB lie in data/board-*.js."""
    entrants = collected.entrants
    own = package_files("evalkit.leaderboard") / "page"
    style = house_style((own / "leaderboard.css").read_text(encoding="utf-8"))
    script = (own / "leaderboard.js").read_text(encoding="utf-8")
    loader = jinja2.FunctionLoader(lambda name: (own / name).read_text(encoding="utf-8"))
    templates = environment({"number": number_text, "metric": metric_label, "about": metric_title}, loader)
    templates.globals.update(
        words=words,
        exact_note=exact_note,
        interval=interval_text,
        plot=_plot,
        link=lambda path: address(path, folder),
    )
    one = templates.get_template("board.html.jinja")
    sections = [
        Section(board, tuple(stated), _axis(board, stated)) for board, stated in zip(boards, reported, strict=True)
    ]
    inline, size = {}, 0
    for section in sections:
        html = one.render(section=section, board=section.board, entrants=entrants)
        if size + len(html) <= INLINE:
            inline[section.id] = Markup(html)
            size += len(html)
        else:
            write_script(folder / "data" / f"{section.id}.js", f'board.html["{section.id}"]', html)
    page = templates.get_template("index.html.jinja").render(
        sections=sections,
        inline=inline,
        entrants=entrants,
        systems=len({each.name for each in entrants}),
        overview=overview(boards, entrants),
        imported=collected.imported,
        apart=found.apart,
        unmeasured=found.unmeasured,
        counts=never_ranked(found.counts) if found.counts else "",
        formats=formats,
        created=created[:10],
        version=__version__,
        style=Markup(style),
        script=Markup(script),
        style_hash=csp_hash(style),
        script_hash=csp_hash(script),
    )
    path = folder / "index.html"
    write_bytes(path, page.encode())
    return path


def _axis(board: Board, stated: Sequence[Reported]) -> Axis:
    figures = [each.figure for each in board.order.standings]
    bounds = [bound for figure in figures for bound in (figure.value, figure.low, figure.high)]
    return axis_of(bounds, [each.value for each in stated])


def _plot(axis: Axis, value: Any, low: Any, high: Any, hollow: Sequence[float]) -> Markup:
    return Markup(interval_svg(axis, value, low, high, hollow))
