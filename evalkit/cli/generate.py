"""`evalkit generate`: images of prompts and classes."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import click
from click.core import ParameterSource

from evalkit.cli.numbers import FINITE, SAMPLES, STEPS, Finite
from evalkit.cli.options import listed, run_options
from evalkit.jobs.options import RunOptions


@click.command()
@click.option("--model", "-m", required=True, help="Generator, or command:PROGRAM, http:URL#MODEL, folder:PATH.")
@click.option(
    "--prompts",
    "-p",
    required=True,
    help="FILE.jsonl, .json, .csv, .tsv or .txt, classes:imagenet, text:PROMPT, or a suite (world).",
)
@click.option("--samples", "-n", type=SAMPLES, default=1, show_default=True, help="Images per prompt.")
@click.option("--guidance", type=FINITE, help="Guidance scale, in the model's own numbers [default: the model's].")
@click.option("--temperature", type=FINITE, help="[default: the model's]")
@click.option("--top-k", type=click.IntRange(min=0), help="0 is off, 1 is greedy [default: the model's].")
@click.option("--top-p", type=FINITE, help="1 is off [default: the model's].")
@click.option("--steps", type=STEPS, help="Iterations, where the model chooses their number.")
@click.option(
    "--preset",
    type=click.Choice(["default", "paper"]),
    default="default",
    show_default=True,
    help="paper: the settings of the authors' evaluation (Infinity's differ from its notebook's).",
)
@click.option(
    "--rewrite",
    metavar="FILE",
    help="Prompts that were rewritten (id, prompt), drawn instead; manifest and record keep the original ones.",
)
@click.option("--layout", type=click.Choice(["geneval", "wise", "npz50k"]), help="Also as this scorer expects them.")
@click.option("--timeout", type=Finite(min=1), help="Seconds that a program or endpoint has for an image.")
@click.option(
    "--accelerate",
    metavar="SPEC",
    help="NAME:parameter=value,… with speculative, lantern, gsd (next-token models), cspd (mar), hack (next-scale models).",
)
@click.option(
    "--score-ahead",
    metavar="METRIC,…",
    help="Take the features of fid, kid, … while images are in memory; evalkit score then reads no file.",
)
@click.option("--score-protocol", default="evalkit-1", show_default=True, help="Protocol of that scoring.")
@run_options
@click.pass_context
def generate(
    ctx: click.Context,
    model: str,
    prompts: str,
    samples: int,
    guidance: float | None,
    temperature: float | None,
    top_k: int | None,
    top_p: float | None,
    steps: int | None,
    preset: str,
    rewrite: str | None,
    layout: str | None,
    timeout: float | None,
    accelerate: str | None,
    score_ahead: str | None,
    score_protocol: str,
    options: RunOptions,
    as_json: bool,
) -> None:
    """Make the images of a prompt set: PNG files, a manifest, and a record that says how each was made.

    \b
    evalkit generate --model world-ar --prompts world                     nothing to download
    evalkit generate -m var-d16 -p classes:imagenet -n 50 --layout npz50k
    evalkit generate -m llamagen-xl-t2i -p prompts.jsonl -n 4 --seed 0 --weights FOLDER
    evalkit generate -m world-ar -p world --accelerate speculative:length=16
    evalkit generate -m infinity-2b -p prompts.jsonl --preset paper       guidance 4, temperature 1
    evalkit generate -m http:http://localhost:8000/v1#qwen-image -p p.txt a server of vLLM-Omni or SGLang
    evalkit generate -m "command:python worker.py" -p prompts.txt         any program of any environment

    Typed again, an interrupted run goes on; the batch size never changes an image. Exit code 1: some requests failed
    (they are listed), 2: wrong usage or missing weights.
    """
    from evalkit.cli.show import show_generated
    from evalkit.tasks.generate import generate_images

    if ctx.get_parameter_source("dtype") == ParameterSource.DEFAULT:
        options = replace(options, dtype="auto")
    run = generate_images(
        model,
        prompts,
        samples=samples,
        guidance=guidance,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        steps=steps,
        preset=preset,
        rewrite=rewrite,
        layout=layout,
        timeout=timeout,
        accelerate=accelerate,
        score_ahead=listed(score_ahead),
        score_protocol=score_protocol,
        options=options,
    )
    failed = run.samples.num_rows - run.samples["error"].null_count
    if as_json:
        said = {"run": run.path.as_posix(), "model": run.record["model"]["name"], "results": run.results}
        if "acceleration" in run.record:
            said["acceleration"] = run.record["acceleration"]
        click.echo(json.dumps({**said, "images": run.samples.num_rows - failed, "failed": failed}, indent=1))
    else:
        show_generated(run)
    if failed:
        sys.exit(1)
