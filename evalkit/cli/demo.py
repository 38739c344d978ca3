"""`evalkit demo`: one round through the tool on what the package ships."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from evalkit.text import visible

MODELS = ("jpeg-lm", "jpeg-q75", "webp-q75")
CAPTIONS = "120"


def steps(out: Path) -> list[tuple[str, list[str]]]:
    """(what happens, the words behind `evalkit`) of every step, each of which writes below `out`."""
    codecs = [word for name in MODELS for word in ("--model", name)]
    world = ["generate", "--model", "world-ar", "--prompts", "world", "--limit", CAPTIONS]
    probe = ["probe", "world", "--limit", CAPTIONS]
    free, guided = out / "world", out / "world-guided"
    probed = [out / "probe", out / "probe-guided"]
    return [
        (
            "Three codecs on the embedded images",
            ["tokenizer", *codecs, "--data", "sample", "--out", str(out / "codecs")],
        ),
        ("Which of them is best", ["leaderboard", str(out / "codecs"), "--out", str(out / "codecs-board")]),
        ("Images of 120 captions by a small generator", [*world, "--out", str(free)]),
        ("The same captions with strong guidance", [*world, "--guidance", "3", "--out", str(guided)]),
        ("Do the images show what was asked for?", [*probe, "--images", str(free), "--out", str(probed[0])]),
        ("And those with guidance?", [*probe, "--images", str(guided), "--out", str(probed[1])]),
        ("Did guidance help?", ["leaderboard", *map(str, probed), "--out", str(out / "probe-board")]),
    ]


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/demo"),
    show_default=True,
    help="Folder of the runs and pages.",
)
def demo(out: Path) -> None:
    """Try evalkit on what the package ships: codecs, a small generator, a probe, two leaderboards.

    \b
    evalkit demo
    evalkit demo --out runs/demo

    It takes about three minutes on two cores and downloads nothing. Every step is printed before it runs, and can be
    typed again by itself. Typed again, finished steps are kept.
    """
    planned = steps(out)
    for number, (what, words) in enumerate(planned, 1):
        line = " ".join(["evalkit", *words])
        click.secho(visible(f"[{number}/{len(planned)}] {what}"), bold=True)
        click.echo(visible(f"$ {line}", most=1000))
        done = subprocess.run([sys.executable, "-m", "evalkit", *words], check=False)
        if done.returncode > 1:
            raise click.ClickException(f"this step ended with {done.returncode}; what it said stands above")
    click.secho("Now look at", bold=True)
    for page, shows in (
        (out / "codecs-board" / "index.html", "which codec is best, and how sure that is"),
        (out / "codecs" / "report.html", "what the codecs lose, and on which images"),
        (out / "probe-board" / "index.html", "whether guidance helped"),
        (out / "probe" / "report.html", "every image with its verdict and reason"),
    ):
        click.echo(visible(f"  {page}: {shows}", most=1000))
