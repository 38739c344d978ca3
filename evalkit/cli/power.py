"""`evalkit power`: how many samples a comparison needs."""

from __future__ import annotations

import json
from typing import Literal

import click

from evalkit.cli.numbers import FINITE


@click.command()
@click.option("--mde", type=FINITE, required=True, help="The smallest difference that must be found.")
@click.option(
    "--measure",
    type=click.Choice(["share", "mean"]),
    default="share",
    show_default=True,
    help="A share of right samples, or a mean of numbers.",
)
@click.option(
    "--design",
    type=click.Choice(["paired", "independent"]),
    default="paired",
    show_default=True,
    help="Whether both systems see the same samples.",
)
@click.option("--p", type=FINITE, default=0.5, show_default=True, help="Share of the weaker system (shares).")
@click.option("--sd", type=FINITE, default=1.0, show_default=True, help="Standard deviation of a sample (means).")
@click.option(
    "--correlation", type=FINITE, default=0.5, show_default=True, help="Of two systems on one sample (paired)."
)
@click.option("--discordant", type=FINITE, help="Share of samples on which paired systems disagree (shares).")
@click.option("--per-prompt", type=click.IntRange(min=1), default=1, show_default=True, help="Samples of one prompt.")
@click.option("--icc", type=FINITE, default=0.0, show_default=True, help="Correlation of samples of one prompt.")
@click.option(
    "--systems",
    type=click.IntRange(min=2),
    default=2,
    show_default=True,
    help="Systems, compared in all pairs.",
)
@click.option("--alpha", type=FINITE, default=0.05, show_default=True, help="Chance of a false claim.")
@click.option("--power", "wanted", type=FINITE, default=0.8, show_default=True, help="Chance to find the difference.")
@click.option("--prompts", type=click.IntRange(min=1), help="Say instead what this many prompts can find.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def power(
    mde: float,
    measure: Literal["mean", "share"],
    design: Literal["paired", "independent"],
    p: float,
    sd: float,
    correlation: float,
    discordant: float | None,
    per_prompt: int,
    icc: float,
    systems: int,
    alpha: float,
    wanted: float,
    prompts: int | None,
    as_json: bool,
) -> None:
    """Plan how many samples a comparison needs, before any GPU hour is spent.

    \b
    evalkit power --mde 0.02 --p 0.6                                two systems on the same prompts, 0 or 1 each
    evalkit power --mde 0.02 --p 0.6 --per-prompt 4 --icc 0.5       four images per prompt, as GenEval has
    evalkit power --mde 0.3 --measure mean --sd 4 --systems 10      PSNR in dB, all pairs of ten tokenizers
    evalkit power --mde 0.02 --p 0.6 --prompts 553                  what can 553 prompts find?
    """
    from dataclasses import asdict

    from evalkit.errors import EvalkitError
    from evalkit.stats.power import Study, plan, power_of, smallest_effect

    study = Study(
        mde, measure, design, sd, p, correlation, discordant, per_prompt, icc, systems, alpha, wanted
    )  # fmt: skip
    if prompts is not None:
        if prompts < 2:
            raise EvalkitError(f"--prompts is 2 or more; {prompts} was given")
        reached, found = power_of(study, prompts), smallest_effect(study, prompts)
        if as_json:
            click.echo(json.dumps({"study": asdict(study), "prompts": prompts, "power": reached, "finds": found}))
            return
        click.echo(f"{prompts:,} prompts find a difference of {mde:g} with power {reached:.3f},")
        click.echo(f"and one of {found:.3g} with power {wanted:g}")
        return
    made = plan(study)
    if as_json:
        click.echo(json.dumps(asdict(made)))
        return
    each = f" of {per_prompt} samples ({made.samples:,} in all)" if per_prompt > 1 else ""
    click.echo(f"{made.prompts:,} prompts{each} for each system, power {made.power:.3f}")
    pairs = systems * (systems - 1) // 2
    shared = f"; {pairs} pairs share it, {made.alpha:.2g} each" if pairs > 1 else ""
    click.echo(f"to find a difference of {mde:g} in a {measure}, {design}, alpha {alpha:g}{shared}")
    if made.effect > 1:
        click.echo(f"design effect {made.effect:.2f}: samples of one prompt say partly the same")
