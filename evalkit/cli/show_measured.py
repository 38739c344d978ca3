"""A run of a measuring probe on the terminal: its sentences, its numbers, what failed, and where the page is."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.text import Text

from evalkit.cli.screen import Screen
from evalkit.cli.show import comparison, failed_samples, show_json
from evalkit.runs.store import Run
from evalkit.text import visible

MOST_FAILED = 20


def show_measured(run: Run, said: Sequence[str], *, as_json: bool) -> None:
    """Print the run; exit code 1 where images could not be read."""
    failed = failed_samples([run])
    if as_json:
        show_json([run])
    else:
        console = Screen()
        console.print(comparison([run], full=True))
        for line in said:
            console.print(Text(visible(line)), soft_wrap=True)
        for row in failed[:MOST_FAILED]:
            console.print(Text(visible(f"{row['id']}: {row['error']}"), style="red"), soft_wrap=True)
        console.print(Text(visible(f"report: {run.path / 'report.html'}"), style="bold"), soft_wrap=True)
    if failed:
        sys.exit(1)
