"""`evalkit compare`: is B better than A, metric by metric, and may a change be merged?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from evalkit.cli.options import RunFolder
from evalkit.text import visible

WORSE = 3  # the exit status where a condition failed


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RunFolder(whole=True))
@click.option("--metric", "metrics", multiple=True, help="Only this metric; may be given more than once.")
@click.option(
    "--fail-if-worse",
    "conditions",
    multiple=True,
    metavar="METRIC[:MARGIN]",
    help="Exit 3 where a later run is surely worse than the first by more than MARGIN, in the metric's unit.",
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, for a pull request.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def compare(
    runs: tuple[Path, ...],
    metrics: tuple[str, ...],
    conditions: tuple[str, ...],
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Compare the first of finished RUNS with each other one: paired differences, intervals, multiplicity.

    \b
    evalkit compare runs/old runs/new                        every metric that both have, a sentence each
    evalkit compare runs/old runs/new --fail-if-worse psnr:0.1 --markdown

    A condition fails where the 95 % interval of the loss lies wholly beyond MARGIN. Exit 0 done, 2 nothing to compare or
    a condition that cannot be judged, 3 worse.
    """
    from evalkit.cli.show_compare import show_compare
    from evalkit.leaderboard.compare import compare_runs
    from evalkit.leaderboard.compare_words import document, markdown
    from evalkit.leaderboard.gates import judge, parse_gate
    from evalkit.runs.find import find_runs

    if as_markdown and as_json:
        raise click.UsageError("--markdown and --json are two forms of the same; give one of them")
    gates = [parse_gate(each) for each in conditions]
    found = find_runs(runs)
    wanted = (*metrics, *(gate.metric for gate in gates)) if metrics else ()
    comparison = compare_runs(found.sealed, metrics=wanted)
    judged = judge(comparison, gates)
    for path in found.unfinished:
        click.echo(visible(f"left out, unfinished: {path}"), err=True)
    if as_json:
        click.echo(json.dumps(document(comparison, judged), ensure_ascii=False))
    elif as_markdown:
        click.echo(markdown(comparison, judged))
    else:
        show_compare(comparison, judged)
    if any(each.failed for each in judged):
        sys.exit(WORSE)
