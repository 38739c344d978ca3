"""Where verbs print: whole lines where no terminal is, and tables that a narrow terminal shows row by row."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from typing import IO, Any

from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

WHOLE = 100_000  # columns where lines go to a file or another program


class Screen(Console):
    """Standard output, or standard error. No text is wrapped for a pipe; no table is cut on a narrow terminal."""

    def __init__(
        self,
        *,
        stderr: bool = False,
        file: IO[str] | None = None,
        width: int | None = None,
        terminal: bool | None = None,
    ) -> None:
        stream = file or (sys.stderr if stderr else sys.stdout)
        piped = not (terminal or stream.isatty() or os.environ.get("COLUMNS", "").isdigit())
        width = WHOLE if width is None and piped else width
        super().__init__(stderr=stderr, file=file, width=width, force_terminal=terminal)

    def print(self, *objects: Any, **given: Any) -> None:
        """As rich prints; a table whose lines do not fit is stacked, its title stands above in a line of its own."""
        if len(objects) == 1 and isinstance(objects[0], Table):
            table = objects[0]
            if table.title:
                super().print(table.title, style=table.title_style or "", highlight=False)
                table.title = None
            if _width(table, self, self.options) > self.width:
                for line in stacked(table, self.width):
                    super().print(line, highlight=False)
                return
        super().print(*objects, **given)


def stacked(table: Table, width: int) -> Iterator[Text]:
    """The rows one below the other: the first cell in bold, then a line for each other cell with its heading."""
    columns = [[_text(cell) for cell in column.cells] for column in table.columns]
    headings = [_text(column.header).plain.strip() for column in table.columns]
    longest = min(max((len(each) for each in headings[1:]), default=0), width // 3)
    for row in zip(*columns, strict=True):
        first, *others = row
        if first.plain.strip():
            yield Text.assemble((first.plain.strip(), "bold"))
        for heading, cell in zip(headings[1:], others, strict=True):
            lines = [line.plain.strip() for line in cell.split() if line.plain.strip()]
            line = f"  {heading.ljust(longest)}  {', '.join(lines)}".rstrip()
            if lines and len(line) <= width:
                yield Text(line)
            elif lines:
                yield from map(Text, (f"  {heading}", *(part for each in lines for part in _within(each, width))))


def _within(line: str, width: int) -> list[str]:
    """A cell's line, indented; what goes on below it is indented further, and no word is cut."""
    return textwrap.wrap(
        line,
        width,
        initial_indent="    ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _text(cell: Any) -> Text:
    return cell if isinstance(cell, Text) else Text.from_markup(str(cell)) if isinstance(cell, str) else Text(str(cell))


def _width(table: Table, console: Console, options: ConsoleOptions) -> int:
    """Columns that the table takes where nothing is wrapped or cut."""
    return Measurement.get(console, options.update(width=WHOLE, max_width=WHOLE), table).maximum
