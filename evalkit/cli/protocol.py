"""`evalkit protocol`: how a number is measured."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text


@click.group()
def protocol() -> None:
    """Show how a number is measured, and how two protocols differ.

    \b
    evalkit protocol show evalkit-1
    evalkit protocol diff evalkit-1 vtbench-2025
    """


@protocol.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="The whole definition as JSON.")
def show(id: str, as_json: bool) -> None:
    """Print the definition of protocol ID with its quirks.

    \b
    evalkit protocol show vtbench-2025
    """
    from evalkit.protocols import load_protocol
    from evalkit.protocols.protocol import flatten

    found = load_protocol(id)
    if as_json:
        click.echo(json.dumps({**found.as_dict(), "sha256": found.sha256}, indent=1, ensure_ascii=False))
        return
    console = Console()
    console.print(Text(f"{found.id}: {found.title}", style="bold"))
    console.print(Text(f"source {found.source}; sha256 {found.sha256[:16]}", style="dim"))
    table = Table(show_header=False)
    for key, value in flatten(found.as_dict()).items():
        if key not in ("id", "title", "source"):
            table.add_row(key, value)
    console.print(table)
    for quirk in found.quirks:
        console.print(Text.assemble((f"{quirk.name}: ", "bold"), quirk.text, (f" [{', '.join(quirk.moves)}]", "dim")))


@protocol.command()
@click.argument("a")
@click.argument("b")
def diff(a: str, b: str) -> None:
    """Print every rule in which protocols A and B differ.

    \b
    evalkit protocol diff evalkit-1 llamagen-2024
    """
    from evalkit.protocols import differences, load_protocol

    first, second = load_protocol(a), load_protocol(b)
    table = Table(header_style="bold")
    for heading in ("rule", first.id, second.id):
        table.add_column(heading, overflow="fold")
    for row in differences(first, second):
        table.add_row(*row)
    Console().print(table)
