"""A comparison in the terminal: what counts first, then a sentence for each metric."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from evalkit.cli.screen import Screen
from evalkit.leaderboard.compare import Comparison
from evalkit.leaderboard.compare_words import MARKS, sentence, summary
from evalkit.leaderboard.gates import Judged
from evalkit.text import visible

STYLES = {"better": "green", "worse": "red", "not separated": "", "unknown": "dim"}
MOST = 6  # reasons that are listed


def show_compare(comparison: Comparison, judged: Sequence[Judged]) -> None:
    """The counts, the conditions, a sentence a metric, and what could not be compared."""
    console = Screen()
    console.print(Text(visible(summary(comparison)), style="bold"))
    for condition in judged:
        word = "worse" if condition.failed else "better"
        console.print(Text(visible(f"{'✗' if condition.failed else '✓'} {condition.sentence}"), style=STYLES[word]))
    for pair in comparison.pairs:
        console.print(Text(visible(f"{MARKS[pair.outcome]} {sentence(pair)}"), style=STYLES[pair.outcome]))
    for each in comparison.left_out[:MOST]:
        console.print(Text(visible(f"not compared: {each}"), style="yellow"))
    if len(comparison.left_out) > MOST:
        console.print(Text(f"… and {len(comparison.left_out) - MOST} more, with --json", style="yellow"))
