"""`evalkit watermark calibrate`: how green images are that carry no mark."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from evalkit.cli.options import run_options
from evalkit.cli.watermark_options import MarkChoice, mark_options
from evalkit.jobs.options import RunOptions
from evalkit.text import visible

if TYPE_CHECKING:
    from evalkit.watermark.detection.calibrate import Calibrated

FAILED = 20


@click.command()
@click.argument("folder")
@click.option("--search", default="none", show_default=True, metavar="WHAT,…", help="As the detector will search.")
@click.option(
    "--strata",
    type=click.Choice(["flatness", "none"]),
    default="flatness",
    show_default=True,
    help="Compare images with null images that repeat their codes as much, or with all.",
)
@click.option(
    "--cache", type=click.Path(path_type=Path), metavar="FILE", help="Codes of known files [default: the user's]."
)
@click.option("--no-cache", is_flag=True, help="Encode every image anew, and keep no codes.")
@partial(mark_options, key_needed=False)
@run_options
def calibrate(
    folder: str,
    search: str,
    strata: Literal["flatness", "none"],
    cache: Path | None,
    no_cache: bool,
    choice: MarkChoice,
    options: RunOptions,
    as_json: bool,
) -> None:
    """Measure images that are known not to be marked, for calibrated p-values of `evalkit watermark detect`.

    \b
    evalkit watermark calibrate NULL_PHOTOS --key my.key --tokenizer llamagen-vq16 --out cal.npz
    evalkit watermark detect PHOTOS --key my.key --tokenizer llamagen-vq16 --calibration cal.npz
    evalkit watermark calibrate NULL_PHOTOS --tokenizer llamagen-vq16 --out codes.npz     only how often codes occur
    evalkit watermark embed … --kind paired --frequencies codes.npz

    FOLDER should hold images like those that will be judged: photographs, screenshots, and above all unmarked images
    of the same generator. n null images give calibrated p-values of 1/(n + 1) at the least. --out ends in .npz or
    .json; the run with a row per image lies beside it, as cal.run. Typed again, an interrupted run goes on. Exit code 1:
    some images failed (they are listed).
    """
    from evalkit.errors import EvalkitError
    from evalkit.watermark.detection.calibrate import calibrate as calibrated
    from evalkit.watermark.methods.plain import plain_marks

    if options.out is None:
        raise EvalkitError("where should the calibration go? Give --out cal.npz (or .json)")
    mark = None
    if choice.key_spec:
        mark = plain_marks(choice.specs, choice.key_sources(), choice.frequencies, choice.file)
    done = calibrated(
        folder,
        choice.tokenizer_name,
        mark,
        options.out,
        search=search,
        strata=strata,
        cache=False if no_cache else cache,
        options=options,
    )
    _show(done, options.out, as_json)
    if done.failed:
        sys.exit(1)


def _show(done: Calibrated, out: Path, as_json: bool) -> None:
    used = len(done.calibration.statistic)
    if as_json:
        said = {
            "out": out.as_posix(),
            "run": None if done.run is None else done.run.as_posix(),
            "images": done.images,
            "copies": done.copies,
            "null": used,
            "smallest_p": 1 / (used + 1),
            "strata": done.strata,
            "warnings": list(done.warnings),
            "failed": [{"id": id, "reason": reason} for id, reason in done.failed],
        }
        click.echo(json.dumps(said, indent=1, ensure_ascii=False))
        return
    from rich.text import Text

    from evalkit.cli.screen import Screen

    console = Screen()
    line = f"{done.images - done.copies:,} null images ({done.copies:,} near-copies left out)"
    if used:
        console.print(
            Text(f"{line}: calibrated p-values reach down to {1 / (used + 1):.1e}", style="bold"), soft_wrap=True
        )
        for name, count in done.strata.items():
            console.print(Text(visible(f"  {name}: {count:,}")))
    else:
        console.print(Text(f"{line}: code frequencies alone; with --key also calibrated p-values", style="bold"))
    for warning in done.warnings:
        console.print(Text(visible(warning, most=1000), style="yellow"), soft_wrap=True)
    for id, reason in done.failed[:FAILED]:
        console.print(Text(visible(f"{id}: {reason}"), style="red"), soft_wrap=True)
    if len(done.failed) > FAILED:
        console.print(Text(f"… and {len(done.failed) - FAILED} more could not be read", style="red"))
    console.print(Text(visible(f"calibration: {out}")), soft_wrap=True)
    console.print(Text(visible(f"run: {done.run}")), soft_wrap=True)
