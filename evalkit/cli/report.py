"""`evalkit report`: one HTML page over finished runs."""

from __future__ import annotations

from pathlib import Path

import click

from evalkit.cli.options import RunFolder
from evalkit.text import visible


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RunFolder(whole=True))
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("report.html"), show_default=True, help="The page's file."
)
@click.option("--force", is_flag=True, help="Replace the page if it is there.")
def report(runs: tuple[Path, ...], out: Path, force: bool) -> None:
    """Write one HTML page over finished RUNS, each a run or a folder of runs.

    \b
    evalkit report runs/tokenizer-jpeg-lm-* runs/tokenizer-webp-q75-* --out comparison.html
    evalkit report runs                                             all runs of a folder, on report.html
    """
    from evalkit.errors import EvalkitError
    from evalkit.leaderboard.firsts import firsts
    from evalkit.pages import write_report
    from evalkit.runs import read_run
    from evalkit.runs.find import find_runs

    if out.exists() and not force:
        raise EvalkitError(f"{out} exists; give another --out, or --force to replace it")
    found = find_runs(runs)
    for path in found.unfinished:
        click.echo(visible(f"left out, unfinished: {path}"), err=True)
    read = [read_run(path) for path in found.sealed]
    page = write_report(read, out, firsts(found.sealed) if len(read) > 1 else None)
    click.echo(visible(f"report: {page}"))
