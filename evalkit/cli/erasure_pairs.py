"""`evalkit erasure pairs`: prompts that ask for a concept beside prompts that do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from evalkit.cli.erasure_options import Base
from evalkit.cli.numbers import Finite
from evalkit.cli.options import device_flag, dtype_flag, weights_flag
from evalkit.text import visible

if TYPE_CHECKING:
    from evalkit.erasure.pairs.filter import FilterRule
    from evalkit.erasure.pairs.make import Made, Sight
    from evalkit.erasure.pairs.pair import Kind

SHARE = Finite(0, 1, min_open=True)


@click.command()
@click.option(
    "--concept", required=True, help="What is to be erased: church, van gogh, nudity, or a class of the world."
)
@click.option("--kind", type=click.Choice(["object", "style", "nudity"]), help="[default: the concept's]")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of pairs.jsonl and retain.jsonl.")
@click.option(
    "--count", "-n", type=click.IntRange(1, 10_000), default=40, show_default=True, help="Pairs of each stratum."
)
@click.option("--grammar", type=click.Choice(["text", "world"]), help="[default: world for world-ar, else text]")
@click.option(
    "--from", "given", type=click.Path(path_type=Path), help="Pairs of a file: .jsonl, or EAR's .json and .csv."
)
@click.option("--endpoint", "endpoints", multiple=True, metavar="http:URL#MODEL", help="Ask a language model too.")
@click.option("--concepts", type=click.Path(path_type=Path), help="TOML file that describes further concepts.")
@click.option("--model", "-m", help="Filter: the base that must draw the target and not the replacement.")
@click.option("--detector", help="Filter: who looks at the images [default: world for world-ar].")
@click.option("--label", "labels", multiple=True, help="Filter: the detector's label [default: the concept].")
@click.option("--seeds", type=click.IntRange(1, 64), default=4, show_default=True, help="Filter: images of a prompt.")
@click.option("--shown", type=SHARE, default=0.5, show_default=True, help="Filter: score that shows the concept.")
@click.option("--hidden", type=SHARE, default=0.25, show_default=True, help="Filter: the same, of a replacement.")
@click.option("--least", type=SHARE, default=0.75, show_default=True, help="Filter: share of a target's images.")
@click.option("--guidance", type=Finite(0), default=1.0, show_default=True, help="Filter: scale, 1 is off.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything that is drawn.")
@weights_flag("the base")
@device_flag()
@dtype_flag()
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def pairs(
    concept: str,
    kind: Kind | None,
    out: Path,
    count: int,
    grammar: Literal["text", "world"] | None,
    given: Path | None,
    endpoints: tuple[str, ...],
    concepts: Path | None,
    model: str | None,
    detector: str | None,
    labels: tuple[str, ...],
    seeds: int,
    shown: float,
    hidden: float,
    least: float,
    guidance: float,
    seed: int,
    weights: tuple[str, ...],
    device: str,
    dtype: str,
    as_json: bool,
) -> None:
    """Make pairs of prompts that differ in one concept: one asks for it, the other for something in its place.

    \b
    evalkit erasure pairs --concept church --out PAIRS
    evalkit erasure pairs --concept dog --model world-ar --out PAIRS             filtered by what world-ar draws
    evalkit erasure pairs --concept church --endpoint http:URL#MODEL --out PAIRS
    evalkit erasure pairs --concept church --kind object --from train_church.json --out PAIRS

    Pairs come in strata (direct, synonym, implicit, compositional, misspelt, other-language), train and test apart. With
    --model, a pair stays where the base draws the concept for its target and not for its replacement; how often the base
    draws it is then measured with fresh seeds. retain.jsonl holds prompts without the concept.
    """
    from evalkit.cli.progress import BarProgress
    from evalkit.erasure.pairs.filter import FilterRule
    from evalkit.erasure.pairs.make import Wanted, make_pairs
    from evalkit.jobs.progress import Progress

    world = model is not None and model.startswith("world-ar")
    wanted = Wanted(concept, kind, grammar or ("world" if world else "text"), count, seed, given, endpoints, concepts)
    rule = FilterRule(seeds, shown, min(hidden, shown), least)
    base = Base(model, weights, device, dtype) if model else None
    sight = _sight(base, detector, labels or (concept,), rule, guidance) if base else None
    made = make_pairs(wanted, out, sight, Progress() if as_json else BarProgress())
    _show(made, as_json)


def _sight(base: Base, detector: str | None, labels: tuple[str, ...], rule: FilterRule, guidance: float) -> Sight:
    from evalkit.erasure.pairs.make import sight_of
    from evalkit.errors import EvalkitError

    if detector is None and not base.name.startswith("world-ar"):
        raise EvalkitError("the filter needs somebody who looks at the images. Give --detector NAME and --label LABEL")
    return sight_of(base.load(), detector or "world", labels, rule, guidance, base.device)


def _show(made: Made, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"out": made.folder.as_posix(), **made.summary}, indent=1, ensure_ascii=False))
        return
    for stratum, of in made.summary["pairs"].items():
        click.echo(visible(f"{stratum}: {of['train']} to train, {of['test']} to test"))
    if "filter" in made.summary:
        seen = made.summary["filter"]
        rate = seen["base_rate_of_fresh_seeds"]
        click.echo(f"the filter kept {seen['kept']} of {seen['pairs']} pairs")
        for reason, number in seen["reasons"].items():
            click.echo(visible(f"  {number}: {reason}"))
        click.echo(f"fresh seeds: the base draws it in {rate['share']:.2f} ({rate['low']:.2f} to {rate['high']:.2f})")
    click.echo(visible(f"pairs: {made.folder / 'pairs.jsonl'}"))
