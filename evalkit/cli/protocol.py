"""`evalkit protocol`: how a number is measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
from rich.table import Table
from rich.text import Text

from evalkit.cli.screen import Screen

if TYPE_CHECKING:
    from evalkit.protocols import Protocol
    from evalkit.protocols.score import ScoreProtocol


def protocols_called(id: str) -> list[Protocol | ScoreProtocol]:
    """What bears this name: a protocol of reconstructions, one of image sets, or one of each; raises for no such name."""
    from evalkit.errors import EvalkitError
    from evalkit.protocols import load_protocol, protocol_ids
    from evalkit.protocols.score import load_score_protocol, score_protocol_ids

    found: list[Protocol | ScoreProtocol] = []
    if id in protocol_ids():
        found.append(load_protocol(id))
    if id in score_protocol_ids():
        found.append(load_score_protocol(id))
    if not found:
        known = ", ".join(dict.fromkeys((*protocol_ids(), *score_protocol_ids())))
        raise EvalkitError(f"there is no protocol called {id!r}; known: {known}")
    return found


@click.group()
def protocol() -> None:
    """Show how a number is measured, and how two protocols differ.

    \b
    evalkit protocol show evalkit-1
    evalkit protocol show adm
    evalkit protocol diff evalkit-1 vtbench-2025
    evalkit protocol diff adm torch-fidelity
    """


@protocol.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="The whole definition as JSON.")
def show(id: str, as_json: bool) -> None:
    """Print the definition of protocol ID with its quirks; of reconstructions, of image sets, or both where both exist.

    \b
    evalkit protocol show vtbench-2025
    """
    found = protocols_called(id)
    if as_json:
        first, *second = ({**each.as_dict(), "sha256": each.sha256} for each in found)
        whole = {**first, "image_sets": second[0]} if second else first
        click.echo(json.dumps(whole, indent=1, ensure_ascii=False))
        return
    for each in found:
        _print(each)


def _print(found: Protocol | ScoreProtocol) -> None:
    from evalkit.protocols.protocol import flatten

    console = Screen()
    console.print(Text(f"{found.id}: {found.title}", style="bold"))
    console.print(Text(f"source {found.source}; sha256 {found.sha256[:16]}", style="dim"))
    table = Table(show_header=False)
    for key, value in flatten(found.as_dict()).items():
        if key not in ("id", "title", "source"):
            table.add_row(key, value)
    console.print(table)
    for quirk in getattr(found, "quirks", ()):
        console.print(Text.assemble((f"{quirk.name}: ", "bold"), quirk.text, (f" [{', '.join(quirk.moves)}]", "dim")))


@protocol.command()
@click.argument("a")
@click.argument("b")
def diff(a: str, b: str) -> None:
    """Print every rule in which protocols A and B differ.

    \b
    evalkit protocol diff evalkit-1 llamagen-2024
    """
    from evalkit.errors import EvalkitError
    from evalkit.protocols.protocol import different_fields

    pairs = [(one, two) for one in protocols_called(a) for two in protocols_called(b) if type(one) is type(two)]
    if not pairs:
        raise EvalkitError(
            f"{a} is of reconstructions and {b} of image sets, or the other way round. Give two of a kind"
        )
    first, second = pairs[0]
    table = Table(header_style="bold")
    for heading in ("rule", first.id, second.id):
        table.add_column(heading, overflow="fold")
    for row in different_fields(first.as_dict(), second.as_dict()):
        table.add_row(*row)
    Screen().print(table)
