"""`evalkit probes`: the suites' files, and what a suite declares."""

from __future__ import annotations

import json
from pathlib import Path

import click

from evalkit.text import visible


@click.group()
def probes() -> None:
    """Get the files of benchmarks that cannot be shipped, and show what a suite declares.

    \b
    evalkit probes fetch wise
    evalkit probes show gedit
    """


@probes.command()
@click.argument("name")
@click.option("--to", type=click.Path(path_type=Path), help="Folder [default: in the cache, where probes look].")
def fetch(name: str, to: Path | None) -> None:
    """Bring the files of the suite NAME from its repository, at the commit that the suite names.

    \b
    evalkit probes fetch wise
    evalkit probe wise --images DIR --judge http:https://api.openai.com/v1#gpt-4o-2024-05-13
    """
    from evalkit.tasks.probe.judged.fetch import fetch as brought

    folder = brought(name, to, lambda said: click.echo(visible(said)))
    click.echo(visible(f"{name} is in {folder}"))


@probes.command()
@click.argument("name")
def show(name: str) -> None:
    """Print what the suite NAME declares, as JSON.

    \b
    evalkit probes show gedit
    """
    from evalkit.protocols.judged import load_declaration

    click.echo(json.dumps(load_declaration(name).as_dict(), indent=1, ensure_ascii=False))
