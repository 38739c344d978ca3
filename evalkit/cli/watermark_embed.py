"""`evalkit watermark embed`: images that carry a mark, while they are made or afterwards."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from evalkit.cli.numbers import FINITE, NUMBER, SAMPLES, STEPS, Finite
from evalkit.cli.options import run_options
from evalkit.cli.watermark_options import MarkChoice, mark_options, message_flag, of_ring
from evalkit.jobs.options import RunOptions
from evalkit.text import counted, visible
from evalkit.watermark.spec import DRAWING

if TYPE_CHECKING:
    from evalkit.runs.store import Run
    from evalkit.tokenizers.base import Tokenizer
    from evalkit.watermark.embed import Nudge
    from evalkit.watermark.mark import Mark

GENERATING = ("prompts", "samples", "guidance", "temperature", "top_k", "top_p", "steps", "delta", "until")
AFTERWARDS = ("fraction", "max_cost", "by", "descent", "levels", "spread", "psnr", "template")
MOST_FAILED = 20


@click.command()
@click.argument("folder", required=False)
@click.option(
    "--profile",
    type=click.Choice(["eu-article-50"]),
    help="Both layers: the mark, and --c2pa with the source type trainedAlgorithmicMedia.",
)
@click.option(
    "--key-ring", "ring", type=click.Path(path_type=Path), metavar="RING", help="Mark as its last active entry says."
)
@click.option("--model", "-m", help="Generate, and mark while sampling: `evalkit ls generators`.")
@click.option("--prompts", "-p", help="With --model: as for `evalkit generate`.")
@click.option("--delta", type=NUMBER, help="With --model: what green logits gain; inf leaves only green codes.")
@click.option(
    "--until",
    type=Finite(0, 1, min_open=True),
    help="With --model: mark an image only while its exact p is above this, among codes that it lacks (1e-8 with --delta 4).",
)
@click.option("--samples", "-n", type=SAMPLES, default=1, help="With --model: images per prompt.")
@click.option("--guidance", type=FINITE, help="With --model: guidance scale [default: the model's].")
@click.option("--temperature", type=FINITE, help="With --model: [default: the model's].")
@click.option("--top-k", type=click.IntRange(min=0), help="With --model: 0 is off, 1 greedy [default: the model's].")
@click.option("--top-p", type=FINITE, help="With --model: 1 is off [default: the model's].")
@click.option("--steps", type=STEPS, help="With --model: iterations, where it chooses their number.")
@click.option(
    "--fraction",
    type=Finite(0, 1, min_open=True),
    default=1.0,
    help="With FOLDER: share of red codes that is exchanged, the cheapest first [default: 1].",
)
@click.option(
    "--max-cost",
    type=Finite(0, min_open=True),
    help="With FOLDER: exchange only where the distance to the features grows by no more.",
)
@click.option(
    "--by",
    type=click.Choice(["codes", "pixels"]),
    default="pixels",
    help="With FOLDER: keep size and pixels and change them until the encoder reads green codes, or paint the "
    "tokenizer's square anew from green codes [default: pixels].",
)
@click.option(
    "--psnr",
    type=Finite(0, 100, min_open=True),
    default=40.0,
    help="--by pixels: dB against the file that is kept [default: 40].",
)
@click.option(
    "--template",
    type=Finite(0, 0.9),
    default=0.08,
    help="--by pixels: share of the change for a pattern by which `detect` finds moved images; 0: none [default: 0.08].",
)
@click.option("--levels", type=Finite(0, 255, min_open=True), default=8, help="--by pixels: most change of a value.")
@click.option("--descent", type=click.IntRange(min=1), default=20, help="--by pixels: steps of gradient descent.")
@click.option(
    "--spread", type=click.IntRange(min=1), default=8, help="--by pixels: near green codes that repeats go to."
)
@message_flag
@click.option(
    "--c2pa",
    nargs=2,
    type=click.Path(path_type=Path),
    metavar="CERT KEYFILE",
    help="Also signed copies with a C2PA manifest, in signed/.",
)
@partial(mark_options, key_needed=False)
@run_options
@click.pass_context
def embed(
    ctx: click.Context,
    folder: str | None,
    profile: str | None,
    ring: Path | None,
    model: str | None,
    prompts: str | None,
    delta: float | None,
    until: float | None,
    samples: int,
    guidance: float | None,
    temperature: float | None,
    top_k: int | None,
    top_p: float | None,
    steps: int | None,
    fraction: float,
    max_cost: float | None,
    by: str,
    psnr: float,
    template: float,
    levels: float,
    descent: int,
    spread: int,
    message: str | None,
    c2pa: tuple[Path, Path] | None,
    choice: MarkChoice,
    options: RunOptions,
    as_json: bool,
) -> None:
    """Mark images while they are generated, or those of a folder afterwards.

    \b
    evalkit watermark embed --model world-ar --prompts world --key my.key --delta 2 --out MARKED
    evalkit watermark embed --model world-ar2 --prompts world2 --key my.key --delta 4 --until 1e-8 --out MARKED
    evalkit watermark embed MADE --key-ring RING --by pixels --profile eu-article-50 --c2pa signer.pem signer.key
    evalkit watermark embed PHOTOS --tokenizer world-vq:128 --method places --key my.key --out MARKED
    evalkit watermark embed PHOTOS --tokenizer world-vq --key my.key --by codes --out MARKED
    evalkit watermark embed PHOTOS --tokenizer llamagen-vq16 --key my.key --lists 64 --fraction 0.5
    evalkit watermark embed PHOTOS --tokenizer world-vq --key my.key --method payload --layout model:8,user:8 \
        --carrier places --message model=3,user=77 --by pixels

    MARKED holds images/*.png, mark.json (what a detector must know, all but the key), a row per image, and a page. An
    image marked afterwards keeps its size and its pixels, changed by few grey levels; --by codes paints the
    tokenizer's square of it anew. world-vq:128 sees images at 128 pixels a side, which gives more codes. Typed again,
    an interrupted run goes on; nothing is overwritten. With --profile eu-article-50 you state that a model made the
    images of FOLDER (docs/article-50.md). Exit code 1: some images failed (they are listed).
    """
    choice = choice if ring is None else of_ring(ring, choice)
    if profile is not None and c2pa is None:
        raise click.UsageError("--profile eu-article-50 signs metadata too; give --c2pa CERT KEYFILE")
    if (folder is None) == (model is None):
        raise click.UsageError("give a FOLDER of images to mark, or --model and --prompts to make marked ones")
    _refuse(ctx, AFTERWARDS if model else GENERATING, "FOLDER" if model else "--model")
    credential = _credential(c2pa)
    choice = choice.saying(message)
    if model is not None:
        if prompts is None or (delta is None) != (choice.specs[0].method in DRAWING):
            needs = "and no --delta" if choice.specs[0].method in DRAWING else "and --delta"
            raise click.UsageError(f"--model needs --prompts {needs} (2 is a common bias; inf is the hard variant)")
        if ctx.get_parameter_source("dtype") == ParameterSource.DEFAULT:
            options = replace(options, dtype="auto")
        numbers = {
            "until": until, "guidance": guidance, "temperature": temperature, "top_k": top_k, "top_p": top_p,
            "steps": steps,
        }  # fmt: skip
        run = _generated(model, prompts, choice, delta, samples, numbers, options)
    else:
        from evalkit.watermark.embed import Nudge

        nudge = Nudge(descent, levels, spread, psnr, template) if by == "pixels" else None
        run = _afterwards(str(folder), choice, fraction, max_cost, nudge, options)
    if credential is not None:
        from evalkit.images import open_images
        from evalkit.watermark.embed.signed import sign_run

        originals = None if folder is None or profile is None else open_images(folder)
        sign_run(run, credential, made_by_model=profile is not None, originals=originals)
    failed = run.samples.num_rows - run.samples["error"].null_count
    _show(run, failed, as_json, signed=credential is not None)
    if failed:
        sys.exit(1)


def _generated(
    model: str,
    prompts: str,
    choice: MarkChoice,
    delta: float | None,
    samples: int,
    numbers: dict[str, Any],
    options: RunOptions,
) -> Run:
    from evalkit.errors import EvalkitError
    from evalkit.watermark.embed import generate_marked

    def build(tokenizer: Tokenizer) -> Mark:
        if choice.tokenizer not in (None, tokenizer.name):
            raise EvalkitError(
                f"{model} makes codes of {tokenizer.name}, not of {choice.tokenizer}; leave out --tokenizer"
            )
        return choice.build(tokenizer)

    choice.key()  # before a model is loaded
    return generate_marked(model, prompts, build, delta, samples=samples, **numbers, options=options)


def _afterwards(
    folder: str,
    choice: MarkChoice,
    fraction: float,
    max_cost: float | None,
    nudge: Nudge | None,
    options: RunOptions,
) -> Run:
    from evalkit.jobs.options import weights_by_name
    from evalkit.tokenizers.registry import load_tokenizer, tokenizer_alias
    from evalkit.watermark.embed import embed_folder

    choice.key()
    name = tokenizer_alias(choice.tokenizer_name)
    weights = weights_by_name(options.weights, [name], canonical=tokenizer_alias)
    tokenizer = load_tokenizer(name, weights.get(name), options.device, options.dtype)
    most = math.inf if max_cost is None else max_cost
    mark = choice.build(tokenizer)
    return embed_folder(folder, tokenizer, mark, fraction=fraction, most_cost=most, nudge=nudge, options=options)


def _size(run: Run) -> str:
    """Of images that were marked afterwards."""
    if run.record["plan"]["parameters"]["embedding"].get("by") == "pixels":
        return "that of each input"
    side = next(row for row in run.samples["side"].to_pylist() if row is not None)
    return f"{side}x{side}, the tokenizer's (--by pixels keeps that of each input)"


def _forecast(run: Run) -> str:
    """How many of the marked images are found as they are, and what to type where some are not."""
    from evalkit.watermark.embed.page import FOUND, found_as_they_are

    found, looked = found_as_they_are(run)
    said = f"found as they are, by a p of at most {FOUND:g}: {found} of {looked}"
    if found == looked or run.record["plan"]["parameters"]["embedding"].get("by") != "pixels":
        return said
    psnr = run.record["plan"]["parameters"]["embedding"]["psnr"]
    return f"{said}; more are with --psnr {psnr - 3:g} (evalkit watermark power --green says how many codes it takes)"


def _refuse(ctx: click.Context, names: tuple[str, ...], owner: str) -> None:
    for name in names:
        if ctx.get_parameter_source(name) != ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name.replace('_', '-')} belongs to {owner}; leave it out here")


def _credential(c2pa: tuple[Path, Path] | None) -> Any:
    if c2pa is None:
        return None
    from evalkit.images.c2pa import _library
    from evalkit.images.credential import load_credential

    _library()
    return load_credential(*c2pa)


def _show(run: Run, failed: int, as_json: bool, *, signed: bool) -> None:
    if as_json:
        said = {"run": run.path.as_posix(), "model": run.record["model"]["name"], "results": run.results}
        click.echo(json.dumps({**said, "images": run.samples.num_rows - failed, "failed": failed}, indent=1))
        return
    from rich.text import Text

    from evalkit.cli.screen import Screen
    from evalkit.cli.show import failed_samples
    from evalkit.metrics.registry import METRICS

    console = Screen()
    made = run.samples.num_rows - failed
    console.print(Text(visible(f"{made} marked images: {run.path}/images"), style="bold"), soft_wrap=True)
    if "side" in run.samples.column_names and made:
        console.print(Text(f"  size: {_size(run)}"))
    for row in run.results:
        metric = METRICS.find(row["metric"])
        if metric is not None and "headline" in metric.shown and row["value"] is not None:
            unit = f" {metric.unit}" if metric.unit else ""
            console.print(Text(f"  {metric.label}: {row['value']:.3f}{unit}"))
    if lost := run.record["data"].get("lost"):
        told = ", ".join(f"{what} of {counted(number, 'image')}" for what, number in lost.items())
        console.print(
            Text(f"  not in the marked images, which are opaque PNG files of one frame: {told}"), soft_wrap=True
        )
    if "log10_p" in run.samples.column_names and made:
        console.print(Text(f"  {_forecast(run)}"), soft_wrap=True)
    if failed:
        console.print(Text(f"{failed} images failed:", style="red"))
    for row in failed_samples([run])[:MOST_FAILED]:
        console.print(Text(f"  {visible(row['id'])}: {visible(row['error'])}"), soft_wrap=True)
    if failed > MOST_FAILED:
        console.print(Text(f"  … and {failed - MOST_FAILED} more, in samples.parquet (column error)"))
    if signed:
        console.print(Text(visible(f"with C2PA manifests: {run.path}/signed")), soft_wrap=True)
    console.print(Text(visible(f"for the detector: {run.path}/mark.json")), soft_wrap=True)
    console.print(Text(visible(f"page: {run.path}/report.html")), soft_wrap=True)
