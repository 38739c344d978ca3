"""`evalkit watermark scan` and `serve`: the marks of a key ring, in a folder and as a service."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.cli.numbers import Finite
from evalkit.cli.watermark_audit import audit
from evalkit.cli.watermark_engine import engine_settings
from evalkit.cli.watermark_ring import ring as ring_commands
from evalkit.text import counted, visible

if TYPE_CHECKING:
    from evalkit.watermark.service.engine import Settings

PER_MINUTE, BURST, BYTES = 60.0, 64, 2**25
DECOYS = click.option(
    "--decoys",
    is_flag=True,
    help="Decoy keys decide over images that come together, a folder or a form, where an entry has no calibration.",
)


@click.command()
@click.argument("folder")
@engine_settings
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File of JSON lines.")
@DECOYS
@click.option("--details", is_flag=True, help="Also p-values and counts, which no client of a service may see.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N images.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON, and nothing else, on stdout.")
def scan(
    folder: str,
    ring: Path,
    settings: Settings,
    out: Path,
    decoys: bool,
    details: bool,
    limit: int | None,
    as_json: bool,
) -> None:
    """Look for all marks of a key ring in the images of FOLDER, as the service does, and write a JSON line for each.

    \b
    evalkit watermark scan PHOTOS --key-ring RING --out scan.jsonl
    evalkit watermark scan PHOTOS --key-ring RING --out scan.jsonl --details --alpha 1e-4
    evalkit watermark scan PHOTOS --key-ring RING --out scan.jsonl --decoys

    Every tokenizer encodes an image once, for all of its marks. Typed again, an interrupted scan goes on. The lines are
    in the interchange form of docs/service.md. Exit code 1: some images could not be read.
    """
    import json

    from evalkit.cli.progress import BarProgress
    from evalkit.jobs.progress import Progress
    from evalkit.watermark.service.answers import MARKED, NOT_FOUND, UNDECIDED, UNREADABLE
    from evalkit.watermark.service.scan import scan_folder

    progress = Progress() if as_json else BarProgress()
    settings = replace(settings, decoys=decoys)
    done = scan_folder(folder, ring, out, settings, details=details, limit=limit, progress=progress)
    if as_json:
        said = {
            "out": str(out),
            "images": done.images,
            "counts": done.counts,
            "rate": done.rate.alpha,
            "keys": done.rate.keys,
        }
        click.echo(json.dumps({**said, "ring": done.ring}, indent=1))
    else:
        counts = [f"{done.counts.get(each, 0):,} {each}" for each in (MARKED, NOT_FOUND, UNDECIDED, UNREADABLE)]
        click.echo(visible(f"{out}: {', '.join(counts)}"))
        wrong = done.rate.alpha * done.images
        click.echo(
            f"{counted(done.rate.keys, 'key')}; without any mark at most {wrong:.3g} images would be called marked"
        )
    if done.counts.get(UNREADABLE):
        sys.exit(1)


@click.command()
@engine_settings
@DECOYS
@click.option("--audit-log", "log", type=click.Path(path_type=Path), help="[default: RING.audit.jsonl, beside it]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any that is free.")
@click.option("--behind", "proxies", default="", metavar="ADDRESS,…", help="Proxies whose X-Forwarded-For is believed.")
@click.option(
    "--per-minute", type=Finite(0, min_open=True), default=PER_MINUTE, show_default=True, help="Images of a client."
)
@click.option("--burst", type=click.IntRange(min=1), default=BURST, show_default=True, help="Of these at once.")
@click.option(
    "--most-bytes", type=click.IntRange(1, 2**29), default=BYTES, show_default=True, help="Of an image's file."
)
@click.option("--most-images", type=click.IntRange(1, 1000), default=BURST, show_default=True, help="Of a batch.")
def serve(
    ring: Path,
    settings: Settings,
    decoys: bool,
    log: Path | None,
    host: str,
    port: int,
    proxies: str,
    per_minute: float,
    burst: int,
    most_bytes: int,
    most_images: int,
) -> None:
    """Answer over HTTP whether images carry a mark of a key ring: verdicts, and no numbers.

    \b
    evalkit watermark serve --key-ring RING
    evalkit watermark serve --key-ring RING --host 0.0.0.0 --port 80 --behind 10.0.0.1 --per-minute 30
    curl --data-binary @image.png http://127.0.0.1:8000/v1/image

    A change of RING is taken over while it answers. Every answer is in the audit log before it is sent. SIGTERM and
    Ctrl-C stop it when all who wait have their answers. GET / shows how to ask. See docs/service.md.
    """
    from evalkit.watermark.service.server import Address, Allowed
    from evalkit.watermark.service.server import serve as run

    run(
        ring,
        log or ring.with_name(f"{ring.name}.audit.jsonl"),
        replace(settings, decoys=decoys),
        Address(host, port, proxies),
        Allowed(per_minute, burst, most_bytes, most_images),
        lambda url: click.echo(f"listening on {url}"),
    )


SERVICE = (ring_commands, scan, serve, audit)
