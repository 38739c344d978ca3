"""`evalkit probe decoder`: train a probe on two folders, ask it about a third."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evalkit.cli.options import run_options
from evalkit.jobs.options import RunOptions

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("words", nargs=-1, required=True, type=FILE, metavar="train A B | DIR|RUN")
@click.option("--probe", "file", type=FILE, metavar="RUN|FILE", help="The run that trained the probe, or its file.")
@click.option(
    "--features", default="spectral", show_default=True, help="spectral, or an encoder: evalkit ls extractors."
)
@run_options
def decoder(words: tuple[Path, ...], file: Path | None, features: str, options: RunOptions, as_json: bool) -> None:
    """Which kind of decoder made the images of a folder?

    \b
    evalkit probe decoder train diffusion/ next-scale/ --out PROBE   sub-folders are generators, held out in turn
    evalkit probe decoder IMAGES --probe PROBE

    Images are made equal in size and codec first. Accuracy is that on generators that were not trained on, with its
    interval. Images unlike all that was trained on are called outside, and most of a folder outside is no answer (exit 1).
    """
    from evalkit.cli.show_measured import show_measured
    from evalkit.tasks.probe.decoder import ask_decoder, train_decoder

    first, *rest = words
    if str(first) == "train":
        if len(rest) != 2:
            raise click.UsageError("train takes two folders: evalkit probe decoder train A B")
        run = train_decoder(*rest, features=features, options=options)
    elif rest or file is None:
        raise click.UsageError(
            "give one folder and a trained probe: evalkit probe decoder IMAGES --probe RUN. Or train one: "
            "evalkit probe decoder train A B"
        )
    else:
        run = ask_decoder(first, file, options=options)
    told = run.record["decoder"]
    show_measured(run, [*told["said"], *told["cautions"]], as_json=as_json)
    if any(row["status"] != "ok" for row in run.results):
        sys.exit(1)
