"""`evalkit leaderboard`: who is better, how surely, and what may not be compared."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from evalkit.cli.options import RunFolder
from evalkit.text import visible


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RunFolder(whole=True))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("leaderboard"),
    show_default=True,
    help="Folder of the page; a leaderboard there is replaced.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME=RUN",
    help="What the system of a run is called; runs of one name are one system's, such as its FID and its GenEval.",
)
@click.option("--metric", "metrics", multiple=True, help="Only this metric; may be given more than once.")
@click.option(
    "--aggregate",
    multiple=True,
    metavar="METRIC",
    help="Also the mean of METRIC over the data sets that the same systems have.",
)
@click.option(
    "--reported",
    type=click.Choice(["none", "measured", "all"]),
    default="measured",
    show_default=True,
    help="Hollow marks for figures that papers state: of the models measured here, or of all systems.",
)
@click.option("--parts", is_flag=True, help="Also single scripts of texts, scales and bits of codes.")
@click.option(
    "--common", is_flag=True, help="Rank on the samples that all runs share, where they have not all the same."
)
@click.option("--copy", is_flag=True, help="Copy the images too, so that the folder can be moved or sent.")
@click.option("--every-eval-ever", "organization", metavar="WHO", help="Also write Every Eval Ever; WHO evaluated.")
@click.option(
    "--hub",
    "benchmarks",
    multiple=True,
    metavar="OWNER/NAME:TASK=METRIC",
    help="Also write .eval_results of the Hugging Face Hub for a task of a benchmark there.",
)
@click.option(
    "--public-key", type=click.Path(path_type=Path), help="Mark the runs that this signer signed as verified."
)
@click.option("--explain", is_flag=True, help="Print in what runs differ that are not ranked together.")
@click.option("--explain-all", is_flag=True, help="The same for every pair of them.")
@click.option("--json", "as_json", is_flag=True, help="Print leaderboard.json on stdout, and nothing else.")
def leaderboard(
    runs: tuple[Path, ...],
    out: Path,
    names: tuple[str, ...],
    metrics: tuple[str, ...],
    aggregate: tuple[str, ...],
    reported: Literal["none", "measured", "all"],
    parts: bool,
    common: bool,
    copy: bool,
    organization: str | None,
    benchmarks: tuple[str, ...],
    public_key: Path | None,
    explain: bool,
    explain_all: bool,
    as_json: bool,
) -> None:
    """Rank sealed RUNS, each a run or a folder of runs: intervals, tiers, and what may not be compared.

    \b
    evalkit leaderboard runs --out board                     all runs of a folder; open board/index.html
    evalkit leaderboard runs --metric psnr --explain         one metric, and why runs are on other boards
    evalkit leaderboard runs --common                        on shared samples, where some failed or had a --limit
    evalkit leaderboard runs --aggregate psnr                also the mean over data sets, of those who have all
    evalkit leaderboard FID GENEVAL --name mine=FID --name mine=GENEVAL --out paper      one table: paper/table.tex
    evalkit leaderboard runs --every-eval-ever "Our lab"     also for the Every Eval Ever collection
    """
    from evalkit.cli.show_leaderboard import show_leaderboard
    from evalkit.leaderboard import LeaderboardOptions, make_leaderboard
    from evalkit.runs.find import find_runs

    found = find_runs(runs)
    called = _called(names, found.sealed)
    options = LeaderboardOptions(
        metrics=metrics,
        aggregate=aggregate,
        reported=reported,
        parts=parts,
        common=common,
        copy=copy,
        organization=organization,
        benchmarks=benchmarks,
        public_key=public_key,
        names=called,
        command=("evalkit", *sys.argv[1:]),
    )
    made = make_leaderboard(found.sealed, out, options)
    for path in found.unfinished:
        click.echo(visible(f"left out, unfinished: {path}"), err=True)
    if as_json:
        click.echo(json.dumps(json.loads((out / "leaderboard.json").read_bytes()), ensure_ascii=False))
    else:
        show_leaderboard(made, explain=explain, every_pair=explain_all)


def _called(names: Sequence[str], sealed: Sequence[Path]) -> dict[Path, str]:
    """Names of systems by run, of NAME=RUN each; a folder of runs gives all of them the name."""
    from evalkit.runs.find import find_runs

    given: dict[Path, str] = {}
    for each in names:
        name, _, path = each.partition("=")
        if not name.strip() or not path:
            raise click.UsageError(f"--name {each} does not say of which run it is; type --name NAME=RUN")
        given |= dict.fromkeys((run.resolve() for run in find_runs(path).sealed), name.strip())
    known = {run.resolve(): run for run in sealed}
    if lost := [path for path in given if path not in known]:
        raise click.UsageError(f"--name {given[lost[0]]}={lost[0]} is none of the runs here; give the run itself too")
    return {known[path]: name for path, name in given.items()}
