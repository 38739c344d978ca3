"""`evalkit erasure train`: an eraser of one concept, as a weight file that every command takes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from evalkit.cli.erasure_options import Base, PairsFile
from evalkit.cli.numbers import NUMBER, Finite
from evalkit.cli.options import device_flag, dtype_flag, weights_flag
from evalkit.text import visible

if TYPE_CHECKING:
    from evalkit.erasure.training.settings import Settings
    from evalkit.erasure.training.spec import Trained

POSITIVE, COUNT = Finite(0, min_open=True), click.IntRange(min=1)
STRATA = ("direct", "compositional")  # the concept by its name, as EAR's own pairs ask for it
METHODS = (
    *("ear", "ear-released", "replace", "replace+retain", "gradient-ascent", "masked-kl", "first-scale"),
    *("name-swap", "noise"),
)


@click.command()
@click.option("--model", "-m", required=True, help="The base: world-ar, a LlamaGen, Janus, Emu3, VAR or Infinity.")
@click.option("--method", type=click.Choice(METHODS), required=True, help="How the concept is erased.")
@click.option("--pairs", type=PairsFile(), metavar="FILE|FOLDER", required=True, help="Pairs of evalkit erasure pairs.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the eraser.")
@click.option(
    "--retain", type=click.Path(path_type=Path), help="Prompts that stay [default: retain.jsonl beside the pairs]."
)
@click.option(
    "--strata", default=",".join(STRATA), show_default=True, metavar="NAME,…", help="Of the pairs to train on."
)
@click.option("--limit", type=COUNT, help="Only the first N pairs.")
@click.option("--blocks", metavar="A-B", help="Blocks that change, from 0, or all [default: the method's].")
@click.option("--modules", metavar="REGEX", help="Parameters within them [default: the attention's].")
@click.option(
    "--window", type=click.IntRange(min=0), help="Codes of an update, 0 for the whole image [default: the method's]."
)
@click.option("--threshold", type=NUMBER, help="Loss above which a window makes an update [default: the method's].")
@click.option(
    "--gate", type=click.Choice(["sum", "mean"]), help="What the threshold is compared with [default: the method's]."
)
@click.option(
    "--tail/--no-tail", default=None, help="Whether codes behind the last window count [default: the method's]."
)
@click.option(
    "--strength", type=NUMBER, help="EAR's eta, the noise's share, first-scale's entropy [default: the method's]."
)
@click.option("--retain-weight", type=Finite(0), help="Of the retention term, 0 for none [default: the method's].")
@click.option("--guidance", type=Finite(0), help="At which the base draws, 1 is off [default: the method's].")
@click.option("--learning-rate", type=POSITIVE, help="Adam's [default: the method's].")
@click.option("--epsilon", type=POSITIVE, help="Adam's [default: the method's].")
@click.option("--decay/--no-decay", default=None, help="Let the learning rate fall to 0 [default: the method's].")
@click.option("--retain-batch", type=COUNT, help="Retained prompts of an update [default: the method's].")
@click.option("--batch", type=COUNT, help="Pairs of an update [default: the method's].")
@click.option("--epochs", type=COUNT, help="Passes over the pairs [default: the method's].")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything that is drawn.")
@click.option("--save-every", type=COUNT, default=25, show_default=True, help="Pairs between two checkpoints.")
@weights_flag("the base")
@device_flag()
@dtype_flag()
@click.option("--json", "as_json", is_flag=True, help="Print eraser.json.")
def train(
    model: str,
    method: str,
    pairs: Path,
    out: Path,
    retain: Path | None,
    strata: str,
    limit: int | None,
    blocks: str | None,
    modules: str | None,
    window: int | None,
    threshold: float | None,
    gate: Literal["sum", "mean"] | None,
    tail: bool | None,
    strength: float | None,
    retain_weight: float | None,
    guidance: float | None,
    learning_rate: float | None,
    epsilon: float | None,
    decay: bool | None,
    retain_batch: int | None,
    batch: int | None,
    epochs: int | None,
    seed: int,
    save_every: int,
    weights: tuple[str, ...],
    device: str,
    dtype: str,
    as_json: bool,
) -> None:
    """Train an eraser of the pairs' concept. Typed again, an interrupted training goes on to identical weights.

    \b
    evalkit erasure train --model world-ar --method replace+retain --pairs PAIRS --out ERASER
    evalkit erasure train --model janus-pro-1b --method ear-released --pairs PAIRS --out ERASER
    evalkit generate --model world-ar --weights ERASER/weights.safetensors --prompts world

    ear-released does what EAR's code does, ear what its paper says. replace, replace+retain, gradient-ascent, masked-kl,
    first-scale, name-swap and noise are baselines. The folder holds the weights in the base's own layout, and eraser.json.
    """
    from evalkit.cli.progress import BarProgress
    from evalkit.erasure.training.inputs import retained_prompts, training_pairs
    from evalkit.erasure.training.recipes import recipe
    from evalkit.erasure.training.run import train as trained
    from evalkit.erasure.training.spec import Training
    from evalkit.jobs.progress import Progress

    given = {
        "modules": modules,
        "window": window,
        "threshold": threshold,
        "gate": gate,
        "tail": tail,
        "batch": batch,
        "strength": strength,
        "retain": retain_weight,
        "guidance": guidance,
        "learning_rate": learning_rate,
        "blocks": blocks,
        "epochs": epochs,
        "epsilon": epsilon,
        "decay": decay,
        "retain_batch": retain_batch,
    }
    settings = _changed(recipe(method, model), given)
    where, tokenizer = Base(model, weights, device, dtype).paths
    spec = Training(
        model,
        method,
        training_pairs(pairs, tuple(strata.split(",")), limit),
        out,
        retained_prompts(retain, pairs, needed=settings.retain > 0),
        settings,
        seed,
        where,
        tokenizer,
        device,
        dtype,
        save_every,
    )
    _show(trained(spec, Progress() if as_json else BarProgress()), model, pairs, as_json)


def _changed(settings: Settings, given: dict[str, Any]) -> Settings:
    """The method's settings with what was typed."""
    from evalkit.erasure.training.settings import parse_blocks

    typed = {name: value for name, value in given.items() if value is not None}
    if "blocks" in typed:
        typed["blocks"] = parse_blocks(typed["blocks"])
    if typed.get("window") == 0:
        typed["window"] = None
    return replace(settings, **typed)


def _show(done: Trained, model: str, pairs: Path, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(dict(done.facts), indent=1, ensure_ascii=False))
        return
    facts = done.facts
    click.echo(
        visible(
            f"{facts['method']} of {facts['concept']}: {facts['steps']} updates, {facts['dropped_windows']} windows dropped, "
            f"{facts['seconds']:.0f} s; the weights moved by {facts['change']['relative']:.3f} of their norm"
        )
    )
    click.echo(visible(f"use it with: --weights {model}={done.weights}"))
    click.echo(visible(f"check it with: evalkit erasure check --base {model} --erased {done.folder} --pairs {pairs}"))
