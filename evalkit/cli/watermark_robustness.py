"""`evalkit watermark robustness`: which marks survive which attacks, at what cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.numbers import SIDE, Finite
from evalkit.cli.options import (
    REHASH_FLAG,
    RunFolder,
    batch_size_flag,
    device_flag,
    dtype_flag,
    engine_flags,
    retry_flag,
    weights_flag,
)
from evalkit.cli.watermark_options import MarkChoice, mark_options, message_flag

if TYPE_CHECKING:
    from evalkit.jobs.options import BatchSize, EngineOptions
    from evalkit.watermark.robustness import Contender, RobustnessRun


@click.command()
@click.argument("folder")
@click.option(
    "--marked", metavar="FOLDER", help="Images that carry the mark already [default: FOLDER's are marked now]."
)
@click.option(
    "--attack",
    "spellings",
    multiple=True,
    metavar="SPELLING|GRID",
    help="Attack, chain (a+b) or grid [default: quick].",
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="NAME",
    help="Compare with dwtDct, dwtDctSvd, rivaGan, blind-watermark, or all.",
)
@click.option("--out", type=RunFolder(), required=True, help="Where everything goes; typed again, it resumes.")
@click.option("--fraction", type=Finite(0, 1, min_open=True), default=1.0, help="Share of red codes exchanged.")
@click.option(
    "--psnr",
    type=Finite(0, 100, min_open=True),
    help="Mark the images' own pixels, as embed --by pixels does, and keep this many dB [default: paint them anew].",
)
@message_flag
@click.option("--side", type=SIDE, help="Pixels a side of all images [default: the tokenizer's].")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N images.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of random attacks and of the peers' payload.")
@batch_size_flag(8)
@device_flag()
@dtype_flag()
@weights_flag("the tokenizer and of the networks of the attacks")
@engine_flags
@REHASH_FLAG
@retry_flag()
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON, and nothing else, on stdout.")
@mark_options
def robustness(
    folder: str,
    marked: str | None,
    spellings: tuple[str, ...],
    peers: tuple[str, ...],
    out: Path,
    fraction: float,
    psnr: float | None,
    message: str | None,
    side: int | None,
    limit: int | None,
    seed: int,
    batch_size: BatchSize,
    device: str,
    dtype: str,
    weights: tuple[str, ...],
    retry_failed: bool,
    as_json: bool,
    engine: EngineOptions,
    choice: MarkChoice,
) -> None:
    """Mark images, attack them, and say how many are still found.

    \b
    evalkit watermark robustness PHOTOS --key my.key --tokenizer llamagen-vq16 --attack quick --out ROBUST
    evalkit watermark robustness PLAIN --marked MARKED --key my.key --mark MARKED/mark.json --out ROBUST
    evalkit watermark robustness PHOTOS --key my.key --tokenizer llamagen-vq16 --peer all --out ROBUST

    FOLDER holds unmarked images; their share that is called wrongly is reported under every attack, too. Leaves a run with
    robustness.csv, robustness.json and report.html. Exit code 1 where images or attacks failed.
    """
    from evalkit.cli.options import typed
    from evalkit.jobs.options import RunOptions, batch_of, named_weights
    from evalkit.watermark.attacks.spelling import Options, read_attacks
    from evalkit.watermark.detection.detect import loaded_tokenizer
    from evalkit.watermark.embed.nudge import Nudge
    from evalkit.watermark.robustness import TokenMark, watermark_robustness

    batch = batch_of(batch_size, 8)
    of_attacks = named_weights(weights, choice.tokenizer_name)
    attacks = read_attacks(spellings or ("quick",), Options(device, dtype, of_attacks, batch))
    options = RunOptions(device=device, dtype=dtype, weights=weights)
    tokenizer = loaded_tokenizer(choice.tokenizer_name, options, elsewhere=True)
    side = side or tokenizer.native_size
    ours = TokenMark(
        choice.saying(message).build(tokenizer), tokenizer, fraction=fraction, nudge=None if psnr is None else Nudge(psnr=psnr),
        batch_size=batch, frequencies=choice.frequencies,
    )  # fmt: skip
    others, absent = _peers(peers, side, seed)
    run = watermark_robustness(
        folder, [ours, *others], attacks, out, side=side, marked=marked, limit=limit, seed=seed, absent=absent,
        device=device, dtype=dtype, weights=of_attacks, command=typed(), progress=_progress(as_json), engine=engine,
        retry_failed=retry_failed,
    )  # fmt: skip
    _show(run, as_json)
    if run.failed:
        sys.exit(1)


def _peers(names: tuple[str, ...], side: int, seed: int) -> tuple[list[Contender], dict[str, str]]:
    """Peers that are installed, and why the others are not here; a peer that is named wrongly is an error."""
    from evalkit.errors import EvalkitError
    from evalkit.watermark.robustness import PEERS, load_peer

    wanted = list(dict.fromkeys(each for name in names for each in (PEERS if name == "all" else (name,))))
    found: list[Contender] = []
    absent: dict[str, str] = {}
    for name in wanted:
        try:
            found.append(load_peer(name, side, seed))
        except EvalkitError as error:
            if name not in PEERS:
                raise
            absent[name] = str(error)
    return found, absent


def _progress(as_json: bool) -> Any:
    from evalkit.cli.progress import BarProgress
    from evalkit.jobs.progress import Progress

    return Progress() if as_json else BarProgress()


def _show(run: RobustnessRun, as_json: bool) -> None:
    if as_json:
        click.echo((run.path / "robustness.json").read_text(encoding="utf-8"), nl=False)
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from evalkit.cli.screen import Screen
    from evalkit.metrics.psnr import PSNR
    from evalkit.metrics.watermark import AUC
    from evalkit.text import visible
    from evalkit.watermark.robustness.summary import levels_of

    table = Table(header_style="bold", box=box.SIMPLE_HEAD)
    for heading in ("attack", "contender"):
        table.add_column(heading, overflow="fold")
    levels = levels_of(run.rows)
    for heading in (*(f"found at {level}" for level in levels), "AUC", "attack dB", "marking dB"):
        table.add_column(heading, justify="right")
    for row in run.rows:
        numbers = [*((row[f"tpr_{level}"], 2) for level in levels), (row[AUC.name], 3)]
        numbers += [(row[PSNR.name], 1), (row[f"marking_{PSNR.name}"], 1)]
        shown = ["—" if value is None else f"{value:.{digits}f}" for value, digits in numbers]
        table.add_row(Text(visible(row["attack"])), Text(visible(row["contender"])), *shown)
    console = Screen()
    console.print(table)
    most = max((row["marked"] for row in run.rows), default=0)
    console.print(
        Text(
            f"{most} marked images each; intervals are in the report; attack and marking: PSNR of what each changed",
            style="dim",
        )
    )
    for name, reason in {**run.absent, **run.failed}.items():
        console.print(Text(visible(f"{name}: {reason}"), style="yellow"), soft_wrap=True)
    console.print(Text(visible(f"report: {run.path / 'report.html'}"), style="bold"), soft_wrap=True)
