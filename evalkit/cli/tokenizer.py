"""`evalkit tokenizer`: evaluate visual tokenizers."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evalkit.cli.numbers import SIDE
from evalkit.cli.options import listed, run_options
from evalkit.jobs.options import RunOptions


@click.command()
@click.option("--model", "-m", "models", multiple=True, required=True, help="Tokenizer; give it again to compare.")
@click.option(
    "--data",
    "-d",
    default="sample",
    show_default=True,
    help="Folder, glob, zip, npz, hf:repo/config/split, vtbench, tokbench:FOLDER or sample.",
)
@click.option(
    "--protocol",
    "-p",
    "protocols",
    multiple=True,
    default=("evalkit-1",),
    show_default=True,
    help="Measurement definition; again to compare.",
)
@click.option(
    "--tasks",
    default="reconstruction,detail,text,distribution,codes",
    show_default=True,
    help="What to measure, separated by commas; also: tokbench-text, tokbench-face (annotated), "
    "survival (do codes return when encoded again?), shift, fid-infinity.",
)
@click.option(
    "--features",
    default="",
    metavar="NAME,…",
    help="Further feature extractors for distribution distances, such as dinov2-vitl14,clip-vitl14.",
)
@click.option("--size", type=SIDE, help="Side of the square input [default: the model's own].")
@click.option("--native-resolution", is_flag=True, help="Each image at its own size, padded or in tiles.")
@click.option(
    "--ocr", default="rapidocr", show_default=True, help="Who reads text: rapidocr, http:URL#MODEL, transformers:REPO."
)
@click.option("--compare-published", is_flag=True, help="Print published numbers beside the measured ones.")
@click.option("--full", is_flag=True, help="Print every metric, not only the main ones.")
@run_options
def tokenizer(
    models: tuple[str, ...],
    data: str,
    protocols: tuple[str, ...],
    tasks: str,
    features: str,
    size: int | None,
    native_resolution: bool,
    ocr: str,
    compare_published: bool,
    full: bool,
    options: RunOptions,
    as_json: bool,
) -> None:
    """How much does a visual tokenizer destroy?

    \b
    evalkit tokenizer --model jpeg-lm                                   on the embedded images
    evalkit tokenizer -m llamagen-vq16 --weights vq_ds16_c2i.pt -d PHOTOS
    evalkit tokenizer -m jpeg-q50 -m webp-q50 --limit 100 -d hf:huaweilin/VTBench/task1-imagenet/val
    evalkit tokenizer -m jpeg-lm -p evalkit-1 -p vtbench-2025           how much do the protocols differ?

    Typed again, a finished run is shown and an interrupted one goes on. Exit code 1: some samples failed (they are
    listed), 2: wrong usage or missing weights.
    """
    from evalkit.cli.show import failed_samples, show_json, show_runs
    from evalkit.tasks.tokenizer import evaluate_tokenizer

    chosen, further = map(listed, (tasks, features))
    runs = evaluate_tokenizer(
        models,
        data,
        protocols=protocols,
        tasks=chosen,
        size=size,
        native_resolution=native_resolution,
        features=further,
        ocr=ocr,
        options=options,
    )
    page: Path | None = runs[0].path / "report.html"
    if len(runs) > 1:
        from evalkit.leaderboard.firsts import firsts
        from evalkit.pages import write_report

        page = write_report(runs, runs[0].path.parent / "comparison.html", firsts([run.path for run in runs]))
    if as_json:
        show_json(runs)
    else:
        show_runs(runs, page, full=full, published=compare_published)
    if failed_samples(runs):
        sys.exit(1)
