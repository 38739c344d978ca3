"""`evalkit watermark radioactive`: were outputs made by a model that was trained on marked images?"""

from __future__ import annotations

import json
from pathlib import Path

import click

from evalkit.cli.numbers import FINITE
from evalkit.cli.options import run_options
from evalkit.cli.watermark_options import MarkChoice, mark_options
from evalkit.jobs.options import RunOptions


@click.command()
@click.option(
    "--outputs", required=True, metavar="DIR", help="Images that the model made: a folder, glob, zip, npz, hf:…"
)
@click.option("--alpha", type=FINITE, default=0.01, show_default=True, help="A trace is found at a p of at most this.")
@click.option(
    "--decoys", type=click.IntRange(99, 3999), default=999, show_default=True, help="Keys nobody marked with."
)
@click.option(
    "--cache", type=click.Path(path_type=Path), metavar="FILE", help="Codes of known files [default: the user's]."
)
@click.option("--no-cache", is_flag=True, help="Encode every image anew, and keep no codes.")
@mark_options
@run_options
def radioactive(
    outputs: str,
    alpha: float,
    decoys: int,
    cache: Path | None,
    no_cache: bool,
    choice: MarkChoice,
    options: RunOptions,
    as_json: bool,
) -> None:
    """Were these outputs made by a model that was trained on marked images?

    \b
    evalkit watermark radioactive --outputs OUTPUTS --key my.key --mark MARKED/mark.json
    evalkit watermark radioactive --outputs OUTPUTS --key my.key --tokenizer llamagen-vq16 --alpha 0.001

    One answer for all outputs together: their mean score under the key is ranked among hundreds of decoy keys on the same
    outputs, so its p holds for outputs that share codes. Give hundreds of outputs: a trace is weak in each of them. A
    few plainly marked images among them are a trace as well; `evalkit watermark detect` says which they are.
    """
    from evalkit.errors import EvalkitError
    from evalkit.text import visible
    from evalkit.watermark.detection.radioactive import radioactive as measured

    if cache is not None and no_cache:
        raise EvalkitError("--cache and --no-cache contradict each other; leave out one of them")
    found = measured(
        outputs,
        choice.key_sources(),
        choice.tokenizer_name,
        mark=choice.mark,
        epochs=choice.epochs,
        frequencies=choice.frequencies,
        alpha=alpha,
        decoys=decoys,
        cache=False if no_cache else cache,
        options=options,
    )
    if as_json:
        numbers = {name: getattr(found, name) for name in ("found", "p", "mean", "images", "keys", "alpha")}
        click.echo(json.dumps({"run": found.run.path.as_posix(), **numbers}, indent=1))
        return
    click.echo(visible(found.line()))
    if choice.assumed and not found.found:
        click.echo(choice.assumed)
    click.echo(visible(f"run: {found.run.path}"))
