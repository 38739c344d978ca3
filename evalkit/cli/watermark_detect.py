"""`evalkit watermark detect`: which images of a folder carry a mark."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from evalkit.cli.numbers import FINITE
from evalkit.cli.options import run_options
from evalkit.cli.watermark_options import MarkChoice, mark_options
from evalkit.jobs.options import RunOptions

if TYPE_CHECKING:
    from evalkit.runs.store import Run

SHOWN, FAILED = 12, 20  # rows on the terminal


@click.command()
@click.argument("folder")
@click.option(
    "--also-key", "more_keys", multiple=True, metavar="FILE|env:NAME", help="Another key to look for; repeatable."
)
@click.option("--alpha", type=FINITE, default=1e-3, show_default=True, help="Detected: a p of at most this, per image.")
@click.option(
    "--fdr", type=FINITE, help="Decide over the folder instead: at most this share of false ones among the detected."
)
@click.option(
    "--search",
    metavar="WHAT,…",
    help="What is tried where an image itself does not decide: template, flip, shifts, crops, turns, light, or parts such "
    "as flip/offsets:4/rolls:1 (docs/watermark-search.md) [default: template,template/light where --mark says so, else none].",
)
@click.option(
    "--calibration", type=click.Path(path_type=Path), metavar="FILE", help="Of `evalkit watermark calibrate`."
)
@click.option(
    "--decide",
    type=click.Choice(["exact", "calibrated", "larger", "decoys"]),
    help="Which p decides: exact, calibrated, the larger of both, or by decoy keys [default: larger with --calibration, "
    "else decoys].",
)
@click.option(
    "--decoys",
    type=click.IntRange(0, 3999),
    help="Keys that nobody marked with, scored beside the real one; 0: none [default: 199 to 999 without --calibration].",
)
@click.option(
    "--regions",
    is_flag=True,
    help="Which parts of each image carry the mark, and which lack it? About 0.2 s an image more.",
)
@click.option(
    "--cache", type=click.Path(path_type=Path), metavar="FILE", help="Codes of known files [default: the user's]."
)
@click.option("--no-cache", is_flag=True, help="Encode every image anew, and keep no codes.")
@click.option("--c2pa", is_flag=True, help="Read C2PA manifests too: absent, valid, trusted or invalid.")
@click.option(
    "--c2pa-anchors", type=click.Path(path_type=Path), metavar="PEM", help="Authorities to trust; implies --c2pa."
)
@click.option(
    "--among",
    metavar="NAME=LOW-HIGH,…",
    help="Method payload: which messages are looked for, such as model=3,user=0-999999 [default: any].",
)
@mark_options
@run_options
def detect(
    folder: str,
    more_keys: tuple[str, ...],
    alpha: float,
    fdr: float | None,
    search: str | None,
    calibration: Path | None,
    decide: Literal["exact", "calibrated", "larger", "decoys"] | None,
    decoys: int | None,
    regions: bool,
    cache: Path | None,
    no_cache: bool,
    c2pa: bool,
    c2pa_anchors: Path | None,
    among: str | None,
    choice: MarkChoice,
    options: RunOptions,
    as_json: bool,
) -> None:
    """Which images of FOLDER carry the mark of a key?

    \b
    evalkit watermark detect PHOTOS --key my.key --mark MARKED/mark.json
    evalkit watermark detect PHOTOS --key my.key --tokenizer llamagen-vq16 --lists 64 --alpha 1e-6
    evalkit watermark detect PHOTOS --key my.key --tokenizer world-vq --fdr 0.01 --search flip,shifts,light
    evalkit watermark detect PHOTOS --key env:KEY --mark mark.json --calibration cal.npz

    FOLDER is a folder, glob, zip, npz or hf:repo/config/split. Every image gets a row with a verdict: detected, not
    detected, inconclusive (too few different codes to tell) or error. p-values are exact or too large for any image,
    and corrected for every list, key, epoch and view that may be tried. "Not detected" does not mean "not generated".

    Without a calibration hundreds of decoy keys are scored on the same images: an image's p is the real key's rank among
    them, less what the key owes to codes that all images share. They also tell how many of these images such a key calls
    wrongly, and a p for the folder as a whole. A search tries all views under every decoy, so that its price is exact.

    Files that were seen before are not encoded again: another key over the same folder costs seconds. Typed again, an
    interrupted run goes on. --keep none leaves out the heat maps. Exit code 1: some images failed (they are listed).
    """
    from evalkit.errors import EvalkitError
    from evalkit.watermark.detection.detect import detect_watermark
    from evalkit.watermark.detection.verdict import Rule

    Rule(alpha, fdr)  # says what is wrong before a key is read
    if cache is not None and no_cache:
        raise EvalkitError("--cache and --no-cache contradict each other; leave out one of them")
    run = detect_watermark(
        folder,
        choice.key_sources(more_keys),
        choice.tokenizer_name,
        mark=choice.mark,
        epochs=choice.epochs,
        frequencies=choice.frequencies,
        alpha=alpha,
        fdr=fdr,
        decide=decide,
        search=search,
        calibration=calibration,
        decoys=decoys,
        regions=regions,
        cache=False if no_cache else cache,
        c2pa=c2pa or c2pa_anchors is not None,
        anchors=c2pa_anchors,
        among=among,
        options=options,
    )
    (_print_json if as_json else _show)(run)
    if choice.assumed and not as_json and not run.record["detection"]["counts"]["detected"]:
        click.echo(choice.assumed)
    if run.record["detection"]["counts"]["error"]:
        sys.exit(1)


def _print_json(run: Run) -> None:
    told = run.record["detection"]
    bad = run.samples.filter(run.samples["error"].is_valid()).select(["id", "error"]).to_pylist()
    said = {
        "run": run.path.as_posix(),
        "counts": told["counts"],
        "results": run.results,
        "warnings": told["warnings"],
        "failed": [{"id": each["id"], "reason": each["error"]} for each in bad],
    }
    click.echo(json.dumps(said, indent=1, ensure_ascii=False))


def _show(run: Run) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from evalkit.cli.screen import Screen
    from evalkit.text import counted, visible
    from evalkit.watermark.detection.messages import named
    from evalkit.watermark.detection.page import (
        decided_by,
        decoy_line,
        most_significant,
        open_because,
        region_line,
        shown_row,
        verdict_line,
    )

    console, counts = Screen(), run.record["detection"]["counts"]
    console.print(Text(visible(verdict_line(run)), style="bold"))
    line = f"{counts['not detected']:,} not detected (which is not “not generated”), {counts['inconclusive']:,} inconclusive"
    if counts["inconclusive"]:
        line += f" ({open_because(counts)})"
    console.print(Text(f"{line}, {counts['error']:,} errors"))
    for line in filter(None, (decoy_line(run), region_line(run))):
        console.print(Text(visible(line)))
    told = run.samples["message"].null_count < run.samples.num_rows
    table = Table(header_style="bold", box=box.SIMPLE_HEAD)
    for heading, right in (
        ("image", 0),
        ("verdict", 0),
        (decided_by(run), 1),
        ("q", 1),
        ("green", 1),
        ("seen after", 0),
        *([("message", 0)] if told else []),
    ):
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row in map(shown_row, most_significant(run, SHOWN)):
        green = f"{row['green']} / {row['distinct']}"
        cells: tuple[str, ...] = (row["id"], row["verdict"], row["p_decides"], row["q"], green, row["transform"] or "")
        cells += (row["told"],) if told else ()
        table.add_row(*(Text(visible(cell)) for cell in cells))
    console.print(table)
    if (asked := run.record["plan"]["parameters"].get("among")) is not None:
        alpha = run.record["detection"]["rule"]["alpha"]
        count = counted(named(run.samples, alpha), "image")
        console.print(Text(visible(f"{count} named among {asked}: any wrong one with chance {alpha:g} at most")))
    for warning in run.record["detection"]["warnings"]:
        console.print(Text(visible(warning), style="yellow"), soft_wrap=True)
    bad = run.samples.filter(run.samples["error"].is_valid()).slice(0, FAILED)
    for row in bad.select(["id", "error"]).to_pylist():
        console.print(Text(visible(f"{row['id']}: {row['error']}"), style="red"), soft_wrap=True)
    if counts["error"] > FAILED:
        console.print(Text(f"… and {counts['error'] - FAILED} more errors, in samples.csv (column error)", style="red"))
    hidden = run.samples.num_rows - SHOWN
    rows = f"{hidden} more rows" if hidden > 0 else "rows"
    console.print(Text(visible(f"{rows}: {run.path}/samples.csv")), soft_wrap=True)
    console.print(Text(visible(f"page: {run.path}/report.html")), soft_wrap=True)
