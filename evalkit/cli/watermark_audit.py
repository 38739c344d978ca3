"""`evalkit watermark audit`: which images carry which layer of marking, and what survives."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.cli.watermark_engine import engine_settings

if TYPE_CHECKING:
    from evalkit.watermark.service.engine import Settings
    from evalkit.watermark.service.layers import Audit


@click.command()
@click.argument("folder")
@engine_settings
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the audit.")
@click.option(
    "--edit", "edits", multiple=True, metavar="SPELLING", help="`evalkit watermark attack --list` [default: 15]."
)
@click.option("--images", type=click.IntRange(0), default=32, show_default=True, help="Images that are edited.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of random edits.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N images.")
@click.option("--json", "as_json", is_flag=True, help="Print the audit as JSON, and nothing else, on stdout.")
def audit(
    folder: str,
    ring: Path,
    settings: Settings,
    out: Path,
    edits: tuple[str, ...],
    images: int,
    seed: int,
    limit: int | None,
    as_json: bool,
) -> None:
    """Which images of FOLDER carry signed metadata, which a watermark, and what survives common edits?

    \b
    evalkit watermark audit MARKED/signed --key-ring RING --out AUDIT
    evalkit watermark audit MARKED/signed --key-ring RING --edit jpeg:75 --edit crop:0.9 --out AUDIT

    Leaves audit.html, audit.json and scan.jsonl, a line for each image. Typed again, it goes on. Exit code 1: some images
    carry fewer than both layers, or could not be read. See docs/article-50.md.
    """
    from evalkit.cli.progress import BarProgress
    from evalkit.images.c2pa import _library
    from evalkit.jobs.progress import Progress
    from evalkit.watermark.service.layers import EDITS, audit_layers

    if settings.c2pa:
        _library()
    progress = Progress() if as_json else BarProgress()
    done = audit_layers(
        folder, ring, out, settings, edits=edits or EDITS, images=images, seed=seed, limit=limit, progress=progress
    )
    if as_json:
        click.echo((out / "audit.json").read_text(encoding="utf-8"), nl=False)
    else:
        _show(done)
    if done.counts["both"] < done.scanned.images:
        sys.exit(1)


def _show(done: Audit) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from evalkit.cli.screen import Screen
    from evalkit.text import visible
    from evalkit.watermark.service.layers import share_text

    console = Screen()
    console.print(Text("; ".join(f"{name}: {count:,}" for name, count in done.counts.items() if count), style="bold"))
    console.print(Text("C2PA manifests: " + ", ".join(f"{count:,} {state}" for state, count in done.states.items())))
    if done.survival:
        table = Table(header_style="bold", box=box.SIMPLE_HEAD)
        for heading in ("edit", "watermark kept", "signed metadata kept"):
            table.add_column(heading, overflow="fold")
        for row in done.survival:
            cells = (row["error"], "") if row["error"] else (share_text(row["watermark"]), share_text(row["metadata"]))
            table.add_row(*(Text(visible(cell)) for cell in (row["edit"], *cells)))
        console.print(table)
    console.print(Text(visible(f"page: {done.path / 'audit.html'}")), soft_wrap=True)
