"""`evalkit campaign`: many models on many suites, planned in one file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.cli.numbers import THREADS
from evalkit.cli.options import batch_size_flag, device_flag, engine_flags, retry_flag, typed

if TYPE_CHECKING:
    from evalkit.campaigns.run import Finished
    from evalkit.campaigns.steps import Steps
    from evalkit.jobs.options import BatchSize, EngineOptions


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would be made and asked, and do nothing.")
@batch_size_flag()
@device_flag()
@click.option("--threads", type=THREADS, default=2, show_default=True, help="Decoding threads.")
@engine_flags
@retry_flag()
@click.option("--json", "as_json", is_flag=True, help="Print campaign.json on stdout, and nothing else.")
def campaign(
    file: Path,
    dry_run: bool,
    batch_size: BatchSize,
    device: str,
    threads: int,
    engine: EngineOptions,
    retry_failed: bool,
    as_json: bool,
) -> None:
    """Run every model of FILE on every suite of it: images once, questions once, one leaderboard.

    \b
    evalkit campaign autumn.toml --dry-run        images and questions of each suite, before anything starts
    evalkit campaign autumn.toml                  goes on where an earlier call ended

    \b
    budget = 20                                   # for all judges, in the currency of their prices
    judge = {name = "http:https://api.example.org/v1#judge-model", prices = [0.4, 1.6]}
    seeds = [0]
    [[models]]
    name = "world-ar"                             # what evalkit ls generators names
    [[models]]
    label = "ours"
    images = "images/ours/{suite}"                # made elsewhere, in the suite's own layout
    [[suites]]
    name = "world"                                # what evalkit ls probes names
    limit = 60
    [[suites]]
    name = "wise"                                 # after evalkit probes fetch wise

    A pilot of each judged suite (pilot = 8 prompts) measures what questions cost; where the estimate lies above the budget,
    nothing more is asked. Prices are those of a million prompt and reply tokens. Relative paths start at FILE's folder.
    Exit code 1: some steps gave no run (they are listed), 2: wrong usage, missing files, or too dear.
    """
    from evalkit.campaigns.read import read_campaign
    from evalkit.campaigns.run import open_steps, run_campaign
    from evalkit.cli.progress import BarProgress
    from evalkit.jobs.options import RunOptions
    from evalkit.jobs.progress import Progress
    from evalkit.text import visible

    asked = read_campaign(file)
    if dry_run:
        _show_steps(open_steps(asked), as_json=as_json)
        return
    options = RunOptions(
        device=device,
        batch_size=batch_size,
        threads=threads,
        engine=engine,
        retry_failed=retry_failed,
        command=typed(),
        progress=Progress() if as_json else BarProgress(),
    )
    done = run_campaign(asked, options, lambda said: click.echo(visible(said), err=True))
    if as_json:
        click.echo(json.dumps(json.loads((asked.out / "campaign.json").read_bytes()), ensure_ascii=False))
    else:
        _show(done)
    if done.failed:
        sys.exit(1)


def _show_steps(steps: Steps, *, as_json: bool) -> None:
    """Images to make and questions to ask, by suite and in all."""
    rows = [
        {
            "suite": suite.name,
            "models": sum(each.suite is suite for each in steps.probings),
            "images": sum(each.suite is suite for each in steps.probings) * suite.images,
            "questions": sum(each.suite is suite for each in steps.probings) * suite.questions,
            "judge": str(suite.use.judge.name) if suite.use.judge and suite.questions else None,
        }
        for suite in steps.suites
    ]
    made = sum(each.images for each in steps.generations)
    if as_json:
        click.echo(json.dumps({"suites": rows, "images_to_make": made}, ensure_ascii=False))
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from evalkit.cli.screen import Screen
    from evalkit.text import visible

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name in rows[0]:
        table.add_column(
            "models and seeds" if name == "models" else name,
            justify="left" if name in ("suite", "judge") else "right",
            overflow="fold",
        )
    for row in rows:
        cells = (f"{each:,}" if isinstance(each, int) else visible(str(each or "none")) for each in row.values())
        table.add_row(*map(Text, cells))
    Screen().print(table)
    click.echo(f"{made:,} images to make; suites that ask the same prompts share them")


def _show(done: Finished) -> None:
    """What came of it, in a few lines."""
    from evalkit.text import visible

    for step, why in done.failed:
        click.echo(visible(f"no run: {step}: {why}"), err=True)
    click.echo(f"{len(done.runs)} probes done" + (f", {len(done.failed)} without a run" if done.failed else ""))
    if done.expected:
        cost = sum(each.cost or 0.0 for each in done.expected)
        click.echo(f"judging cost {done.spent:.4g}; {cost:.4g} was expected after the pilot")
    click.echo(visible(f"leaderboard: {done.board}" if done.board else f"no leaderboard: {done.why_no_board}"))
