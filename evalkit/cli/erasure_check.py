"""`evalkit erasure check`: was a concept really erased?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.cli.erasure_options import PairsFile, look_of, only_concept, without_model
from evalkit.cli.numbers import Finite
from evalkit.cli.options import run_options
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions

if TYPE_CHECKING:
    from evalkit.runs.store import Run

PATH, SHARE = click.Path(path_type=Path), Finite(0, 1)


@click.command()
@click.option("--base", "-b", metavar="NAME", help="The generator before the erasure.")
@click.option(
    "--erased", "-e", metavar="FILE|FOLDER", help="Its erased weights, or the folder of evalkit erasure train."
)
@click.option("--before", type=PATH, metavar="DIR|RUN", help="Images before the erasure, made elsewhere.")
@click.option("--after", type=PATH, metavar="DIR|RUN", help="Images after it, under the same names.")
@click.option(
    "--pairs",
    type=PairsFile(),
    metavar="FILE|FOLDER",
    required=True,
    help="Pairs of prompts, of evalkit erasure pairs.",
)
@click.option("--concept", "-c", help="What was erased [default: the concept of the pairs].")
@click.option("--retain", metavar="FILE|SUITE", help="Prompts that must stay, besides the replacements of the pairs.")
@click.option(
    "--samples", "-n", type=click.IntRange(min=1), default=2, show_default=True, help="Images of each prompt."
)
@click.option(
    "--guidance", type=Finite(0), help="Strength of guidance; top-k and top-p are off [default: the model's]."
)
@click.option("--detector", metavar="NAME", help="Who looks: world, resnet50, nudenet, clip-style, q16, hf:FOLDER.")
@click.option("--domain", metavar="NAME", help="Who sees the other domain: objects where a style was erased (CRA).")
@click.option("--label", "labels", multiple=True, help="Labels of the detector that stand for the concept.")
@click.option(
    "--top", type=click.IntRange(min=0), help="How many of the likeliest labels count [default: the detector's]."
)
@click.option("--threshold", type=SHARE, help="Least score that counts.")
@click.option("--sensitivity", type=SHARE, help="Of images with the concept, how many the detector sees.")
@click.option("--specificity", type=SHARE, help="Of images without it, how many it passes.")
@click.option("--relearn", type=click.IntRange(min=0), default=0, show_default=True, help="Steps of learning it again.")
@click.option(
    "--never-saw", metavar="FILE|FOLDER", help="Weights that never saw the concept, to compare relearning with."
)
@click.option(
    "--tries", type=click.IntRange(min=0), default=0, show_default=True, help="Attack: further seeds of each prompt."
)
@click.option(
    "--search",
    type=click.IntRange(min=0),
    default=64,
    show_default=True,
    help="Attack: evaluations by which a search rewrites each of 10 direct prompts.",
)
@click.option("--probes", type=(PATH, PATH), metavar="BEFORE AFTER", help="Runs of evalkit probe with both models.")
@click.option("--cache", type=PATH, metavar="DIR", help="Keep what the base draws there, for checks of other erasers.")
@click.option("--controls/--no-controls", default=True, help="Draw with a randomly changed and a destroyed model, too.")
@click.option("--name", help="What the eraser is called [default: its method, or its file].")
@run_options
def check(
    base: str | None,
    erased: str | None,
    before: Path | None,
    after: Path | None,
    pairs: Path,
    concept: str | None,
    retain: str | None,
    samples: int,
    guidance: float | None,
    detector: str | None,
    domain: str | None,
    labels: tuple[str, ...],
    top: int | None,
    threshold: float | None,
    sensitivity: float | None,
    specificity: float | None,
    relearn: int,
    never_saw: str | None,
    tries: int,
    search: int,
    probes: tuple[Path, Path] | None,
    cache: Path | None,
    controls: bool,
    name: str | None,
    options: RunOptions,
    as_json: bool,
) -> None:
    """Say whether a concept is gone, where it leaks, what it cost; a destroyed model does not pass.

    \b
    evalkit erasure check --base world-ar --erased ERASER --pairs dog.jsonl --guidance 1
    evalkit erasure check --base janus-pro-1b --erased FOLDER --pairs church.jsonl
    evalkit erasure check --before A --after B --pairs church.jsonl --detector resnet50

    Both models draw the same prompts with the same uniform numbers. The verdict is erased, suppressed (it comes back),
    leaking (other words bring it back), over-erased, broken, not erased, or undecided. Images made elsewhere are named
    <number of the prompt>_<k>.png, targets of the pairs first; equal names are taken as equal seeds. Typed again, an
    interrupted run goes on.
    """
    from evalkit.erasure.check.memory import Memory
    from evalkit.erasure.check.run import check_eraser, check_folders

    what = concept or only_concept(pairs)
    look = look_of(detector, domain, labels, top, threshold, sensitivity, specificity)
    if before is not None and after is not None and base is None and erased is None:
        without_model({"--relearn": relearn, "--never-saw": never_saw, "--tries": tries, "--cache": cache})
        run = check_folders(
            before, after, pairs, what, retain=retain, look=look, probes=probes, label=name, options=options
        )
    elif base is not None and erased is not None and before is None and after is None:
        run = check_eraser(
            base,
            erased,
            pairs,
            what,
            retain=retain,
            samples=samples,
            guidance=guidance,
            look=look,
            controls=controls,
            relearn=relearn,
            never_saw=never_saw,
            tries=tries,
            search=search,
            probes=probes,
            memory=Memory(cache),
            label=name,
            options=options,
        )
    else:
        raise EvalkitError("a check takes two models or two folders. Give --base and --erased, or --before and --after")
    (_print_json if as_json else _show)(run)


def _print_json(run: Run) -> None:
    said = {
        "run": run.path.as_posix(),
        "model": run.record["model"]["name"],
        "erasure": {name: run.record["erasure"][name] for name in ("concept", "verdict", "score", "vector", "bounds")},
        "results": run.results,
    }
    click.echo(json.dumps(said, indent=1, ensure_ascii=False))


def _show(run: Run) -> None:
    from rich.text import Text

    from evalkit.cli.screen import Screen
    from evalkit.erasure.check.words import headline, vector_lines
    from evalkit.text import visible

    console = Screen()
    told: dict[str, Any] = run.record["erasure"]
    console.print(Text(visible(headline(run.record)), style="bold"), soft_wrap=True)
    for reason in told["verdict"]["reasons"]:
        console.print(Text(visible(f"  {reason}")), soft_wrap=True)
    for line in vector_lines(told):
        console.print(Text(visible(line)), soft_wrap=True)
    console.print(Text(visible(f"report: {run.path / 'report.html'}"), style="bold"), soft_wrap=True)
