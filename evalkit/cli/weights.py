"""`evalkit weights`: which weight files are here, and how to get the others."""

from __future__ import annotations

import json
import sys

import click
from rich.table import Table

from evalkit.cli.screen import Screen
from evalkit.text import visible


@click.group()
def weights() -> None:
    """List, fetch and check weight files.

    \b
    evalkit weights list 'titok*'
    evalkit weights fetch llamagen-vq16
    evalkit weights check
    """


@weights.command("list")
@click.argument("pattern", default="*")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_(pattern: str, as_json: bool) -> None:
    """Name every file, its source, its licence, and whether it is here.

    PATTERN matches a model's name or a file's key.

    \b
    evalkit weights list gigatok-bl
    """
    _show(pattern, as_json, digest=False)


@weights.command()
@click.argument("pattern", default="*")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def check(pattern: str, as_json: bool) -> None:
    """Hash what is here and compare with what the manifest states; exit code 1 where content is wrong.

    \b
    evalkit weights check 'llamagen*'
    """
    if _show(pattern, as_json, digest=True):
        sys.exit(1)


@weights.command()
@click.argument("pattern")
def fetch(pattern: str) -> None:
    """Download what a hub or an address offers; say for the rest where a person must go. Exit code 1 if some is missing.

    \b
    evalkit weights fetch 'lpips*'
    """
    from evalkit.systems.weights import fetch as fetch_all

    missing = False
    for entry, outcome in fetch_all(pattern):
        missing = missing or isinstance(outcome, str)
        click.echo(visible(f"{entry.key}: {outcome}", most=1000))
    if missing:
        sys.exit(1)


def _show(pattern: str, as_json: bool, *, digest: bool) -> bool:
    """Print the states; whether one has the wrong content."""
    from evalkit.systems.weights import weight_states

    states = weight_states(pattern, digest=digest)
    if as_json:
        rows = [
            {
                "key": s.entry.key,
                "models": s.models,
                "state": s.state,
                "sha256": s.sha256,
                "files": s.entry.files,
                "source": s.entry.source,
                "licence": s.entry.licence,
                "gated": s.entry.gated,
                "note": s.entry.note,
            }
            for s in states
        ]
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        table = Table(header_style="bold")
        for heading in ("file", "here?", "used by", "from", "licence", *(["sha256"] if digest else [])):
            table.add_column(heading, overflow="fold")
        for s in states:
            extra = [(s.sha256 or "—")[:16]] if digest else []
            gate = " (accept its licence there first)" if s.entry.gated else ""
            name = s.entry.key if len(s.entry.files) > 1 else s.entry.files[0]
            table.add_row(
                name, s.state, ", ".join(s.models) or "metrics", s.entry.where + gate, s.entry.licence, *extra
            )
        Screen().print(table)
    return any(s.state == "wrong content" for s in states)
