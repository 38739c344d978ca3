"""`evalkit score`: is an image set like a reference, and does it fit its prompts?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.cli.options import listed, run_options
from evalkit.jobs.options import RunOptions
from evalkit.text import visible

if TYPE_CHECKING:
    from evalkit.runs.store import Run


@click.command()
@click.option(
    "--images", required=True, metavar="DATA", help="A folder, glob, zip, npz, hf:repo/config/split, or a run."
)
@click.option("--reference", metavar="DATA|STATS.npz", help="The same, or statistics (mu, sigma) of a reference.")
@click.option(
    "--metrics",
    metavar="NAME,…",
    help="fid, sfid, is, kid, prdc, cmmd, fd_dinov2, vendi, clipscore, … [default: the protocol's usual ones].",
)
@click.option(
    "--protocol",
    default="evalkit-1",
    show_default=True,
    help="adm, torch-fidelity, clean, pytorch-fid or evalkit-1; of videos stylegan-v or videogpt.",
)
@click.option("--prompts", metavar="FILE", help="What each image should show [default: what its run asked for].")
@click.option("--model", "-m", help="A generator of codes, for --metrics nll: the likelihood of the images under it.")
@click.option(
    "--log-likelihoods", metavar="FILE", help="What a model of pixels states: JSON lines, id and log_likelihood (nats)."
)
@click.option(
    "--captions", metavar="FILE", help="A model's captions of the images: JSON lines, id and caption; or COCO's."
)
@click.option(
    "--references",
    metavar="FILE",
    help="Captions by people, one or more per image, for BLEU-4, CIDEr-D, ROUGE-L, METEOR.",
)
@click.option("--cameras", metavar="FILE", help="Cameras of views, for TSED: JSON lines, id, intrinsics and pose.")
@click.option(
    "--paired",
    metavar="RUN|DATA",
    help="A baseline: the same prompts and seeds by the slower or original model; or controls, maps, subjects.",
)
@click.option(
    "--save-statistics",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the images' mean and covariance, to be given as --reference.",
)
@click.option("--no-cache", is_flag=True, help="Look at every image again, also at those whose features were kept.")
@run_options
def score(
    images: str,
    reference: str | None,
    metrics: str | None,
    protocol: str,
    prompts: str | None,
    model: str | None,
    paired: str | None,
    log_likelihoods: str | None,
    captions: str | None,
    references: str | None,
    cameras: str | None,
    save_statistics: Path | None,
    no_cache: bool,
    options: RunOptions,
    as_json: bool,
) -> None:
    """Score an image set: against a reference, for its prompts, and by itself.

    \b
    evalkit score --images runs/generate-… --reference PHOTOS --metrics fid,kid,prdc
    evalkit score --images SAMPLES.npz --reference VIRTUAL_imagenet256.npz --protocol adm --metrics fid,sfid,is
    evalkit score --images A --reference B --metrics fd_efflite0,kid_efflite0,prdc_efflite0   needs no download
    evalkit score --images runs/generate-… --metrics clipscore,aesthetic_v2
    evalkit score --images PHOTOS --metrics nll --model llamagen-b --prompts classes.jsonl
    evalkit score --images runs/fast --paired runs/plain                   fidelity, speed-up, evaluations, memory
    evalkit score --images MADE --paired CONTROLS --metrics canny,subject  does it keep edges and subject?
    evalkit score --images PHOTOS --captions model.jsonl --references people.jsonl
    evalkit score --images VIEWS --cameras cameras.jsonl                   do neighbouring views show one scene?
    evalkit score --images PHOTOS --save-statistics photos.npz

    Every value has an interval where one is defined. A metric whose weights are not here is unavailable, and says what
    is missing. Values of another protocol, n or reference never share a leaderboard. Typed again, an interrupted run
    goes on. Exit code 1: some images failed (they are listed), 2: wrong usage, or no metric has its weights.
    """
    from evalkit.tasks.scoring import score as scored

    names = listed(metrics)
    run = scored(
        images,
        reference,
        metrics=names,
        protocol=protocol,
        prompts=prompts,
        statistics=save_statistics,
        cache=not no_cache,
        model=model,
        paired=paired,
        log_likelihoods=log_likelihoods,
        captions=captions,
        references=references,
        cameras=cameras,
        options=options,
    )
    (_print_json if as_json else _show)(run)
    if save_statistics is not None and not as_json:
        click.echo(visible(f"statistics: {save_statistics}"))
    if run.samples["error"].null_count < run.samples.num_rows:
        sys.exit(1)


def _failed(run: Run) -> list[dict[str, str]]:
    bad = run.samples.filter(run.samples["error"].is_valid()).to_pylist()
    return [{"side": each.get("side", "images"), "id": each["id"], "reason": each["error"]} for each in bad]


def _missing(run: Run) -> dict[str, list[str]]:
    """Metrics that are unavailable, by the reason."""
    found: dict[str, list[str]] = {}
    for row in run.results:
        if row["status"] != "ok":
            found.setdefault(row["reason"], []).append(row["metric"])
    return found


def _of(run: Run, side: str) -> int:
    """Images of one side."""
    return int(run.samples["side"].to_pylist().count(side))


def _print_json(run: Run) -> None:
    said = {
        "run": run.path.as_posix(),
        "results": run.results,
        "warnings": run.record["warnings"],
        "recalled": run.record.get("recalled", {}),
        "failed": _failed(run),
    }
    click.echo(json.dumps(said, indent=1, ensure_ascii=False))


def _show(run: Run) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from evalkit.cli.screen import Screen
    from evalkit.metrics.registry import METRICS
    from evalkit.text import as_float, interval_text, number_text

    console = Screen()
    table = Table(header_style="bold", box=box.SIMPLE_HEAD)
    for heading, right in (("metric", 0), ("value", 1), ("95 % interval", 1), ("n", 1), ("against", 0)):
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row in run.results:
        if row["status"] != "ok" or row["better"] == "none":
            continue
        bounds = [as_float(row[name]) for name in ("low", "high") if row[name] is not None]
        between = interval_text(*bounds) if len(bounds) == 2 else ""
        cells = (METRICS.get(row["metric"]).label, number_text(as_float(row["value"])), between, f"{row['n']:,}")
        table.add_row(*(Text(visible(cell)) for cell in (*cells, row["dataset"])))
    if table.row_count:
        console.print(table)
    for reason, names in _missing(run).items():
        console.print(Text(visible(f"{', '.join(names)}: {reason}", most=1000), style="dim"), soft_wrap=True)
    for side, n in run.record.get("recalled", {}).items():
        console.print(f"{side}: features of {n:,} of {_of(run, side):,} images came from the cache", style="dim")
    for warning in run.record["warnings"]:
        console.print(Text(visible(warning, most=1000), style="yellow"), soft_wrap=True)
    for each in _failed(run)[:20]:
        console.print(Text(visible(f"{each['side']} {each['id']}: {each['reason']}"), style="red"), soft_wrap=True)
    console.print(Text(visible(f"page: {run.path}/report.html")), soft_wrap=True)
