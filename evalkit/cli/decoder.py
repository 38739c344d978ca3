"""`evalkit probe decoder`: train a probe on two folders, ask it about a third."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from evalkit.cli.options import device_flag
from evalkit.cli.progress import BarProgress
from evalkit.runs.durable import write_bytes
from evalkit.text import visible

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("words", nargs=-1, required=True, type=FILE, metavar="train A B | DIR")
@click.option("--probe", "file", type=FILE, default=Path("decoder.npz"), show_default=True, help="The trained probe.")
@click.option(
    "--features", default="spectral", show_default=True, help="spectral, or an encoder: evalkit ls extractors."
)
@click.option("--limit", type=click.IntRange(min=20), help="Only the first N images of each folder.")
@click.option("--page", type=FILE, help="Write the answer and the fingerprints as one HTML page.")
@device_flag()
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON, with every image.")
def decoder(
    words: tuple[Path, ...], file: Path, features: str, limit: int | None, page: Path | None, device: str, as_json: bool
) -> None:
    """Which kind of decoder made the images of a folder?

    \b
    evalkit probe decoder train diffusion/ next-scale/     sub-folders are generators; several of each are held out in turn
    evalkit probe decoder IMAGES --page decoder.html

    Images are made equal in size and codec first. Accuracy is that on generators that were not trained on, with its
    interval. Images unlike all that was trained on are called outside, and most of a folder outside is no answer (exit 1).
    """
    from evalkit.tasks.probe.decoder.page import answer_sentence, decoder_page, sentence
    from evalkit.tasks.probe.decoder.probe import ask_probe, read_probe, train_probe, write_probe

    first, *rest = words
    if str(first) == "train":
        if len(rest) != 2:
            raise click.UsageError("train takes two folders: evalkit probe decoder train A B")
        probe = train_probe(*rest, features=features, limit=limit, device=device, progress=BarProgress())
        write_probe(file, probe)
        for said in (sentence(probe), *probe.cautions, f"probe: {file}"):
            click.echo(visible(said))
        if page is not None:
            write_bytes(page, decoder_page(probe).encode("utf-8", "surrogatepass"))
        return
    if rest:
        raise click.UsageError("give one folder of images, or: evalkit probe decoder train A B")
    probe = read_probe(file)
    answer = ask_probe(probe, first, limit=limit, device=device, progress=BarProgress())
    if page is not None:
        write_bytes(page, decoder_page(probe, answer, first.name).encode("utf-8", "surrogatepass"))
    if as_json:
        images = [{"id": name, "probability": p, "outside": o} for name, p, o in answer.rows]
        told = {
            "class": probe.names[1],
            "share": answer.share.value,
            "low": answer.share.low,
            "high": answer.share.high,
        }
        click.echo(json.dumps({**told, "outside": answer.outside.value, "images": images}, indent=1))
    else:
        for line in (answer_sentence(probe, answer, first.name), sentence(probe), *probe.cautions):
            click.echo(visible(line))
    if answer.outside.value > 0.5:
        sys.exit(1)
