"""`evalkit probe rounds`: drift over several rounds of editing."""

from __future__ import annotations

from pathlib import Path

import click

from evalkit.cli.options import run_options
from evalkit.jobs.options import RunOptions


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@run_options
def rounds(folder: Path, options: RunOptions, as_json: bool) -> None:
    """How far do images drift over rounds of editing?

    FOLDER holds a folder for each chain: 0.png, 1.png, 2.png, …; mask-2.png marks what the second edit may change.
    --limit: only the first N chains. Editors that were given the same first images and masks are ranked together.

    \b
    evalkit probe rounds CHAINS
    evalkit leaderboard RUN OTHER-RUN
    """
    from evalkit.cli.show_measured import show_measured
    from evalkit.tasks.probe.rounds import probe_rounds
    from evalkit.tasks.probe.rounds.page import sentence

    run = probe_rounds(folder, options=options)
    show_measured(run, [sentence(run)], as_json=as_json)
