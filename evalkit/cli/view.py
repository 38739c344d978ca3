"""`evalkit view`: the samples of runs in the browser."""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from pathlib import Path

import click

from evalkit.cli.options import RunFolder
from evalkit.text import visible


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RunFolder(whole=True))
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the page [default: view-<name>-<hash> beside the run]."
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Folder of the images that the runs scored, for those that they do not hold.",
)
@click.option("--copy", is_flag=True, help="Copy the images too, so that the folder can be moved or sent.")
@click.option("--open/--no-open", "opened", default=True, help="Open the page in the browser [default: open].")
@click.option("--json", "as_json", is_flag=True, help="Print where the page is as JSON, and nothing else, on stdout.")
def view(
    runs: tuple[Path, ...], out: Path | None, images: Path | None, copy: bool, opened: bool, as_json: bool
) -> None:
    """Look at the samples of RUNS, each a run or a folder of runs: filter, sort, zoom, compare two runs.

    \b
    evalkit view runs/tokenizer-jpeg-lm-1a2b3c4d       one run
    evalkit view runs                                  all runs of a folder, two of them side by side
    evalkit view runs/generate-* --out page --copy     a folder that can be sent
    """
    from evalkit.pages.view import default_folder, find_runs, write_view

    found = find_runs(runs)
    page = write_view(found.sealed, out or default_folder(runs, found.sealed), copy=copy, images=images)
    for path in found.unfinished:
        click.echo(visible(f"left out, unfinished: {path}"), err=True)
    if as_json:
        click.echo(json.dumps({"page": str(page), "runs": [str(path) for path in found.sealed]}))
    else:
        click.echo(visible(f"view of {len(found.sealed)} {'run' if len(found.sealed) == 1 else 'runs'}: {page}"))
    if opened and _has_screen():
        webbrowser.open(page.resolve().as_uri())


def _has_screen() -> bool:
    """Whether a browser can show itself; without a screen a text browser would take over the terminal."""
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
