"""`evalkit report`: one HTML page over finished runs."""

from __future__ import annotations

from pathlib import Path

import click

from evalkit.cli.options import RunFolder
from evalkit.text import visible


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RunFolder(whole=True))
@click.option("--out", type=click.Path(path_type=Path), default=Path("report.html"), show_default=True)
@click.option("--force", is_flag=True, help="Replace the page if it is there.")
def report(runs: tuple[Path, ...], out: Path, force: bool) -> None:
    """Write one HTML page over finished RUNS.

    \b
    evalkit report runs/tokenizer-jpeg-lm-* runs/tokenizer-webp-q75-* --out comparison.html
    """
    from evalkit.errors import EvalkitError
    from evalkit.leaderboard.firsts import firsts
    from evalkit.pages import write_report
    from evalkit.runs import read_run

    if out.exists() and not force:
        raise EvalkitError(f"{out} exists; give another --out, or --force to replace it")
    read = [read_run(path) for path in runs]
    page = write_report(read, out, firsts(runs) if len(runs) > 1 else None)
    click.echo(visible(f"report: {page}"))
