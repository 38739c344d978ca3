"""`evalkit probe rounds`: drift over several rounds of editing."""

from __future__ import annotations

import json
from pathlib import Path

import click

from evalkit.text import visible


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print every round's numbers with their intervals as JSON.")
def rounds(folder: Path, as_json: bool) -> None:
    """How far do images drift over rounds of editing?

    FOLDER holds a folder for each chain: 0.png, 1.png, 2.png, …; mask-2.png marks what the second edit may change.

    \b
    evalkit probe rounds CHAINS
    """
    from evalkit.tasks.probe.editing.rounds import editing_drift

    found = editing_drift(folder)
    if as_json:
        said = {
            name: [{"value": e.value, "low": e.low, "high": e.high} for e in each]
            for name, each in found.rounds.items()
        }
        slopes = {name: {"value": e.value, "low": e.low, "high": e.high} for name, e in found.slopes.items()}
        click.echo(json.dumps({"chains": found.chains, "rounds": said, "slope_a_round": slopes}, indent=1))
        return
    for name, each in found.rounds.items():
        slope = found.slopes[name]
        ends = "" if slope.low is None else f" ({slope.low:+.3g} to {slope.high:+.3g})"
        numbers = ", ".join(f"{e.value:.3g}" for e in each)
        click.echo(visible(f"{name}: {numbers}; slope {slope.value:+.3g} a round{ends}, {found.chains} chains"))
