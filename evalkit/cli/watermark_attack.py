"""`evalkit watermark attack`: images under attacks, one folder an attack."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.numbers import THREADS
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

if TYPE_CHECKING:
    from evalkit.jobs.options import BatchSize, EngineOptions
    from evalkit.watermark.attacks.run import AttackRun


@click.command()
@click.argument("folder", required=False)
@click.option(
    "--attack", "spellings", multiple=True, metavar="SPELLING|GRID", help="Attack, chain (a+b) or grid; repeatable."
)
@click.option("--out", type=RunFolder(), help="Where the attacked images go: one sub-folder per attack.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Also a PNG sheet: the first image under every attack.")
@click.option("--list", "listing", is_flag=True, help="Show every attack with its arguments, and the grids.")
@click.option("--seed", type=int, default=0, show_default=True, help="Random attacks draw from it and the image's id.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N images.")
@batch_size_flag(8)
@click.option("--threads", type=THREADS, default=2, show_default=True, help="Decoding and attacking threads.")
@device_flag()
@dtype_flag()
@weights_flag("the networks of the attacks")
@engine_flags
@REHASH_FLAG
@retry_flag()
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON, and nothing else, on stdout.")
def attack(
    folder: str | None,
    spellings: tuple[str, ...],
    out: Path | None,
    sheet: Path | None,
    listing: bool,
    seed: int,
    limit: int | None,
    batch_size: BatchSize,
    threads: int,
    device: str,
    dtype: str,
    weights: tuple[str, ...],
    retry_failed: bool,
    as_json: bool,
    engine: EngineOptions,
) -> None:
    """Attack images, to see which watermarks survive.

    \b
    evalkit watermark attack MARKED --attack jpeg:75 --attack waves --out ATTACKED
    evalkit watermark attack MARKED --attack crop:0.8+jpeg:75 --attack retokenize:llamagen-vq16:2 --out ATTACKED
    evalkit watermark attack --list

    FOLDER is a folder, glob, zip or npz of images. Every attack gets a sub-folder of --out, and manifest.jsonl a row
    for each image and attack. Typed again, the same command does what is missing. Exit code 1 where images failed.
    """
    from evalkit.cli.options import typed
    from evalkit.jobs.options import batch_of
    from evalkit.watermark.attacks.run import attack_folder
    from evalkit.watermark.attacks.spelling import Options, read_attacks

    if listing:
        _list(as_json)
        return
    if folder is None or out is None or not spellings:
        raise click.UsageError("give a FOLDER, --attack and --out; --list shows the attacks")
    batch = batch_of(batch_size, 8)
    attacks = read_attacks(spellings, Options(device, dtype, weights, batch))
    run = attack_folder(
        folder,
        attacks,
        out,
        seed=seed,
        limit=limit,
        batch=batch,
        threads=threads,
        device=device,
        dtype=dtype,
        weights=weights,
        command=typed(),
        progress=_progress(as_json),
        retry_failed=retry_failed,
        engine=engine,
    )
    if sheet is not None:
        _write_sheet(folder, run, sheet, seed)
    _show(run, as_json)
    if run.failed:
        sys.exit(1)


def summary(run: AttackRun) -> list[dict[str, Any]]:
    """A row an attack: images, failures, how many changed, the mean PSNR of those, and its folder."""
    from evalkit.metrics.psnr import PSNR

    rows = []
    for each in run.attacks:
        mine = [row for row in run.rows if row["attack"] == each.name]
        done = [row for row in mine if row["error"] is None]
        psnr = [row[PSNR.name] for row in done if row[PSNR.name] is not None]
        rows.append(
            {
                "attack": each.name,
                "images": len(mine),
                "failed": len(mine) - len(done),
                "changed": sum(row["changed"] for row in done),
                PSNR.name: round(sum(psnr) / len(psnr), 2) if psnr else None,
                "size": each.size,
                "folder": (run.path / each.folder).as_posix(),
            }
        )
    return rows


def _progress(as_json: bool) -> Any:
    from evalkit.cli.progress import BarProgress
    from evalkit.jobs.progress import Progress

    return Progress() if as_json else BarProgress()


def _write_sheet(folder: str, run: AttackRun, sheet: Path, seed: int) -> None:
    from evalkit.errors import EvalkitError
    from evalkit.images import Sample, open_images
    from evalkit.images.encode import png_bytes
    from evalkit.runs.store import write_bytes
    from evalkit.watermark.attacks.sheet import contact_sheet

    images = open_images(folder)
    first = next((each for each in images.read(0, len(images), threads=1) if isinstance(each, Sample)), None)
    if first is None:
        raise EvalkitError("no image can be read, so there is no contact sheet; see the manifest")
    write_bytes(sheet, png_bytes(contact_sheet(first.image, run.attacks, seed=seed), compress=9))


def _show(run: AttackRun, as_json: bool) -> None:
    rows = summary(run)
    failed = {row["id"]: row["error"] for row in run.failed}
    if as_json:
        said = {
            "out": run.path.as_posix(),
            "attacks": rows,
            "failed": [{"id": i, "reason": r} for i, r in failed.items()],
        }
        click.echo(json.dumps(said, indent=1, ensure_ascii=False))
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from evalkit.cli.screen import Screen
    from evalkit.metrics.psnr import PSNR
    from evalkit.text import visible

    table = Table(header_style="bold", box=box.SIMPLE_HEAD)
    for heading, justify in (("attack", "left"), ("images", "right"), ("changed", "right"), ("PSNR dB", "right")):
        table.add_column(heading, justify="right" if justify == "right" else "left", overflow="fold")
    for row in rows:
        psnr = "—" if row[PSNR.name] is None else f"{row[PSNR.name]:.1f}"
        table.add_row(Text(visible(row["attack"])), str(row["images"] - row["failed"]), str(row["changed"]), psnr)
    console = Screen()
    console.print(table)
    idle = [row["attack"] for row in rows if row["images"] > row["failed"] and not row["changed"]]
    if idle:
        console.print(
            Text(f"changed no image, so nothing was attacked: {visible(', '.join(idle))}", style="yellow"),
            soft_wrap=True,
        )
    for id, reason in list(failed.items())[:20]:
        console.print(Text(visible(f"{id}: {reason}"), style="red"), soft_wrap=True)
    if len(failed) > 20:
        console.print(Text(f"and {len(failed) - 20} more; all of them are in the manifest", style="red"))
    console.print(Text(visible(f"manifest: {run.path / 'manifest.jsonl'}"), style="bold"), soft_wrap=True)


def _list(as_json: bool) -> None:
    from evalkit.watermark.attacks.spelling import KINDS, grids

    kinds = [KINDS.get(name) for name in KINDS]
    if as_json:
        said = {
            "attacks": [{"name": each.name, "usage": each.usage, "about": each.about} for each in kinds],
            "grids": {name: list(members) for name, members in grids().items()},
        }
        click.echo(json.dumps(said, indent=1, ensure_ascii=False))
        return
    for each in kinds:
        click.echo(f"{each.usage}\n    {each.about}")
    click.echo("\ngrids:")
    for name, members in grids().items():
        click.echo(f"{name} ({len(members)}): {members[0]} … {members[-1]}")
