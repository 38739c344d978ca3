"""`evalkit watermark robustness`: which marks survive which attacks, at what cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.numbers import BATCH, SIDE, Finite
from evalkit.cli.options import REHASH_FLAG
from evalkit.cli.watermark_options import MarkChoice, mark_options

if TYPE_CHECKING:
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
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Where everything goes; typed again, it resumes."
)
@click.option("--fraction", type=Finite(0, 1, min_open=True), default=1.0, help="Share of red codes exchanged.")
@click.option("--side", type=SIDE, help="Pixels a side of all images [default: the tokenizer's].")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N images.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of random attacks and of the peers' payload.")
@click.option("--batch-size", type=BATCH, default=8, show_default=True, help="Images a forward pass.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:0, mps.")
@click.option("--dtype", type=click.Choice(["float32", "bfloat16", "float16"]), default="float32", show_default=True)
@click.option("--weights", multiple=True, metavar="FILE|NAME=FILE", help="Weight file in the official layout.")
@REHASH_FLAG
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON, and nothing else, on stdout.")
@mark_options
def robustness(
    folder: str,
    marked: str | None,
    spellings: tuple[str, ...],
    peers: tuple[str, ...],
    out: Path,
    fraction: float,
    side: int | None,
    limit: int | None,
    seed: int,
    batch_size: int,
    device: str,
    dtype: str,
    weights: tuple[str, ...],
    as_json: bool,
    choice: MarkChoice,
) -> None:
    """Mark images, attack them, and say how many are still found.

    \b
    evalkit watermark robustness PHOTOS --key my.key --tokenizer llamagen-vq16 --attack quick --out ROBUST
    evalkit watermark robustness PLAIN --marked MARKED --key my.key --mark MARKED/mark.json --out ROBUST
    evalkit watermark robustness PHOTOS --key my.key --tokenizer llamagen-vq16 --peer all --out ROBUST

    FOLDER holds unmarked images; their share that is called wrongly is reported under every attack, too. Leaves
    robustness.csv, robustness.json and report.html. Exit code 1 where images or attacks failed.
    """
    from evalkit.jobs.job import RunOptions
    from evalkit.watermark.attacks.spelling import Options, read_attacks
    from evalkit.watermark.detection.detect import loaded_tokenizer
    from evalkit.watermark.robustness import TokenMark, watermark_robustness

    attacks = read_attacks(spellings or ("quick",), Options(device, dtype, weights, batch_size))
    tokenizer = loaded_tokenizer(choice.tokenizer_name, RunOptions(device=device, dtype=dtype, weights=weights))
    side = side or tokenizer.native_size
    ours = TokenMark(choice.build(tokenizer), tokenizer, fraction=fraction, batch_size=batch_size)
    others, absent = _peers(peers, side, seed)
    run = watermark_robustness(
        folder, [ours, *others], attacks, out, side=side, marked=marked, limit=limit, seed=seed, absent=absent,
        progress=_progress(as_json),
    )  # fmt: skip
    _show(run, as_json)
    if run.failed:
        sys.exit(1)


def _peers(names: tuple[str, ...], side: int, seed: int) -> tuple[list[Contender], dict[str, str]]:
    """Peers that are installed, and why the others are not here; a peer that is named wrongly is an error."""
    from evalkit.errors import EvalkitError
    from evalkit.watermark.robustness import PEERS, load_peer

    wanted = list(dict.fromkeys(each for name in names for each in (PEERS if name == "all" else (name,))))
    found, absent = [], {}
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
    from evalkit.jobs.job import Progress

    return Progress() if as_json else BarProgress()


def _show(run: RobustnessRun, as_json: bool) -> None:
    if as_json:
        click.echo((run.path / "robustness.json").read_text(encoding="utf-8"), nl=False)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from evalkit.metrics.psnr import PSNR
    from evalkit.metrics.watermark import AUC
    from evalkit.text import visible

    table = Table(header_style="bold", box=box.SIMPLE_HEAD)
    for heading in ("attack", "contender"):
        table.add_column(heading, overflow="fold")
    levels = [name for name in run.rows[0] if name.startswith("tpr_") and not name.endswith(("_low", "_high"))]
    for heading in (*(f"found at {name.removeprefix('tpr_')}" for name in levels), "AUC", "PSNR dB"):
        table.add_column(heading, justify="right")
    for row in run.rows:
        psnr = "—" if row[PSNR.name] is None else f"{row[PSNR.name]:.1f}"
        shares = [f"{row[name]:.2f}" for name in levels]
        table.add_row(
            Text(visible(row["attack"])), Text(visible(row["contender"])), *shares, f"{row[AUC.name]:.3f}", psnr
        )
    console = Console()
    console.print(table)
    console.print(Text(f"{run.rows[0]['marked']} marked images each; intervals are in the report", style="dim"))
    for name, reason in {**run.absent, **run.failed}.items():
        console.print(Text(visible(f"{name}: {reason}"), style="yellow"), soft_wrap=True)
    console.print(Text(f"report: {run.path / 'report.html'}", style="bold"), soft_wrap=True)
