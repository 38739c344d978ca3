"""`evalkit doctor`: what works on this machine."""

from __future__ import annotations

import dataclasses
import json
import sys

import click
from rich.text import Text

from evalkit.cli.screen import Screen

_MARKS = {"ok": ("✓", "green"), "note": ("·", "yellow"), "problem": ("✗", "red")}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def doctor(as_json: bool) -> None:
    """Say what works on this machine and what is missing; nothing is downloaded.

    \b
    evalkit doctor

    Exit code 1 where the embedded default does not work.
    """
    from evalkit.doctor import examine

    findings = list(examine())
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(f) for f in findings], indent=1, ensure_ascii=False))
    else:
        console = Screen()
        width = max(len(each.what) for each in findings) + 2
        for each in findings:
            mark, colour = _MARKS[each.level]
            console.print(
                Text.assemble((f"{mark} ", colour), (f"{each.what:{width}}", "bold"), each.said), soft_wrap=True
            )
    if any(each.level == "problem" for each in findings):
        sys.exit(1)
