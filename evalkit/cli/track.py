"""`evalkit track`: one metric over the checkpoints of a training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import click

from evalkit.cli.options import RunFolder
from evalkit.text import visible


@click.command()
@click.argument("runs", nargs=-1, required=True, type=RunFolder(whole=True))
@click.option("--metric", required=True, help="The metric that is followed (see: evalkit ls metrics).")
@click.option(
    "--steps", metavar="N,N,…", help="Steps of the runs in their order [default: last number of each folder]."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("track"), show_default=True, help="Folder of the page."
)
@click.option(
    "--to",
    "tracker",
    type=click.Choice(["wandb", "mlflow", "tensorboard"]),
    help="Also log values and bounds there; the package must be installed.",
)
@click.option("--project", default="evalkit", show_default=True, help="Of wandb; the experiment of mlflow.")
def track(
    runs: tuple[Path, ...],
    metric: str,
    steps: str | None,
    out: Path,
    tracker: Literal["wandb", "mlflow", "tensorboard"] | None,
    project: str,
) -> None:
    """Follow METRIC over finished RUNS (or folders of runs) of a training's checkpoints: a page and a CSV.

    \b
    evalkit track runs/step-* --metric psnr --out psnr      which checkpoint is the best, and is it surely?
    evalkit track runs/step-* --metric fid --to tensorboard
    """
    from evalkit.leaderboard.track import track_runs, write_track
    from evalkit.leaderboard.track.send import load_tracker, send_track
    from evalkit.runs.find import find_runs

    module = load_tracker(tracker) if tracker else None
    found = find_runs(runs)
    tracks = track_runs(found.sealed, metric=metric, steps=_numbers(steps))
    page = write_track(tracks, out)
    for path in found.unfinished:
        click.echo(visible(f"left out, unfinished: {path}"), err=True)
    for each in tracks:
        click.echo(visible(f"{each.title}: {each.sentence}"))
        for reason in each.left_out:
            click.echo(visible(f"left out: {reason}"), err=True)
    if tracker and module is not None:
        click.echo(send_track(tracks, tracker, module, project=project, folder=out / "tensorboard"))
    click.echo(visible(f"track: {page}"))


def _numbers(text: str | None) -> list[float]:
    try:
        found = [float(each) for each in text.split(",")] if text else []
    except ValueError:
        found = [math.nan]
    if not all(map(math.isfinite, found)):
        raise click.UsageError(f"--steps {text!r} are no numbers; give --steps 1000,2000,…")
    return found
