"""Systems x metrics at one look: the rank interval of each system on each board that several systems share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from evalkit.leaderboard.boards import Board
from evalkit.leaderboard.entrants import Entrant
from evalkit.leaderboard.words import rank_text, rest_of_title, title
from evalkit.pages.labels import metric_label
from evalkit.pages.summary import TASKS
from evalkit.text import counted, listed

STAR, WIDE = "★", 12  # columns of one task that a screen shows


@dataclass(frozen=True)
class Column:
    """A board in the overview: its `family` (number of the task), what it is called, and where it lies on the page."""

    family: int
    metric: str
    data: str
    up: bool
    title: str
    anchor: str

    @property
    def label(self) -> str:
        """Metric and data in few characters."""
        return f"{self.metric} {self.data}".strip()


@dataclass(frozen=True)
class Row:
    """A system: rank intervals by column (empty where it is not on the board), and on how many boards it is first."""

    entrant: Entrant
    cells: tuple[str, ...]
    first: int
    maybe: int
    of: int

    @property
    def answer(self) -> str:
        """On how many boards it is first, and on how many it may be."""
        maybe = f", maybe {self.maybe} more" if self.maybe else ""
        return f"first on {self.first}{maybe}, of {self.of}"


@dataclass(frozen=True)
class Overview:
    """Columns by task, rows by how often a system is first; `families` are the names of the tasks."""

    families: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def sentence(self) -> str:
        """Who is first where separation holds."""
        boards = counted(len(self.columns), "board")
        winners = [f"{row.entrant.name} on {row.first}" for row in self.rows if row.first]
        if not winners:
            return f"On none of {boards} that systems share is one first at 95 % confidence."
        return f"First at 95 % confidence, of {boards} that systems share: {listed(winners)}."


def overview(boards: Sequence[Board], entrants: Sequence[Entrant]) -> Overview:
    """The overview of all boards with two systems or more; runs of one name are one system's.

    A star stands only where a system is first at 95 % confidence.
    """
    shown = [board for board in boards if len(board.entrants) > 1]
    names = {board.terms.digest: _family(board, shown) for board in shown}
    families = list(dict.fromkeys(names.values()))
    shown.sort(key=lambda board: families.index(names[board.terms.digest]))
    columns = tuple(_column(board, families.index(names[board.terms.digest])) for board in shown)
    places = [{each.figure.entrant: each for each in board.order.standings} for board in shown]
    found = []
    systems: dict[str, list[Entrant]] = {}
    for each in entrants:
        systems.setdefault(each.name, []).append(each)
    for entrant, *others in systems.values():
        numbers = [entrant.number, *(each.number for each in others)]
        mine = [next((place[number] for number in numbers if number in place), None) for place in places]
        known = [each for each in mine if each is not None]
        if not known:
            continue
        stars = sum(each.best == each.worst == 1 for each in known)
        cells = tuple(
            "" if each is None else rank_text(each) + (STAR if each.best == each.worst == 1 else "") for each in mine
        )
        maybe = sum(each.best == 1 for each in known) - stars
        middle = fmean((each.best + each.worst) / 2 for each in known)
        found.append(((-stars, -maybe, middle), Row(entrant, cells, stars, maybe, len(known))))
    found.sort(key=lambda each: each[0])
    return Overview(tuple(families), columns, tuple(row for _, row in found))


def _family(board: Board, shown: Sequence[Board]) -> str:
    """The task of a board, and its data where the task has too many boards for the width of a screen."""
    task = board.terms.task
    several = sum(each.terms.task == task for each in shown) > WIDE
    return TASKS.get(task, task) + (f", {_data(board)}" if several else "")


def _column(board: Board, family: int) -> Column:
    up, terms = board.better == "higher", board.terms
    return Column(family, metric_label(terms.metric), _data(board), up, title(board), f"b-{terms.digest}")


def _data(board: Board) -> str:
    return rest_of_title(board).removeprefix(" on ").removeprefix(", ")
