"""`evalkit ls`: what there is."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich import box
from rich.table import Table

from evalkit.cli.screen import Screen
from evalkit.errors import EvalkitError
from evalkit.registry import named_like

if TYPE_CHECKING:
    from evalkit.tasks.probe.suite import Suite

T = TypeVar("T")
MEASURING = (  # probes that need no prompts
    ("decoder", "which kind of decoder made images, by a probe that you train", "yours", "—"),
    ("rounds", "drift over rounds of editing", "yours", "—"),
)


@click.command()
@click.argument(
    "kind",
    type=click.Choice(["tokenizers", "generators", "probes", "protocols", "metrics", "encoders", "extractors"]),
    default="tokenizers",
)
@click.argument("pattern", default="*")
@click.option("--json", "as_json", is_flag=True, help="Everything that is known, as JSON.")
def ls(kind: str, pattern: str, as_json: bool) -> None:
    """List tokenizers, generators, probes, protocols, metrics or encoders whose name is like PATTERN.

    A plain word is looked for anywhere in a name.

    \b
    evalkit ls tokenizers
    evalkit ls tokenizers titok          those of one family
    evalkit ls generators 'var-*'
    evalkit ls metrics fid
    evalkit ls protocols
    """
    if kind == "tokenizers":
        _tokenizers(pattern, as_json)
    elif kind == "generators":
        _generators(pattern, as_json)
    elif kind == "probes":
        _probes(pattern, as_json)
    elif kind == "protocols":
        _protocols(pattern, as_json)
    elif kind == "metrics":
        _metrics(pattern, as_json)
    elif kind == "encoders":
        _encoders(pattern, as_json)
    else:
        _extractors(pattern, as_json)


def _tokenizers(pattern: str, as_json: bool) -> None:
    from evalkit.tokenizers.cards import list_models

    cards = _some(list_models("tokenizer", pattern), "tokenizers", pattern)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(card) for card in cards], indent=1, ensure_ascii=False))
        return
    headings = ("name", "side", "codes", "codebook", "M", "licence")
    rows = [
        (
            card.name + (f" = {', '.join(card.aliases)}" if card.aliases else ""),
            str(card.native_size),
            "encode only" if card.encode_only else str(card.tokens or "varies"),
            card.codebook or "—",
            f"{card.parameters_m:.0f}" if card.parameters_m else "—",
            card.licence or "—",
        )
        for card in cards
    ]
    _print(headings, rows)
    click.echo(
        "side: native image side; codes at 256 px or at the native side; M: million parameters. "
        "Weight files: evalkit weights list NAME"
    )


def _generators(pattern: str, as_json: bool) -> None:
    from evalkit.cli.routes import routes

    found = _some(routes(pattern), "generators", pattern)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(each) for each in found], indent=1, ensure_ascii=False))
        return
    rows = [(each.name, each.route, each.draws, each.side, each.licence, each.needs) for each in found]
    _print(("name", "runs", "draws a", "side", "licence", "needs"), rows)
    click.echo(
        "Any other model: command:PROGRAM, http:URL#MODEL, diffusers:REPO, folder:PATH. "
        "Weight files: evalkit weights list NAME"
    )


def _probes(pattern: str, as_json: bool) -> None:
    from evalkit.encoders.registry import encoder_names
    from evalkit.tasks.probe.suite import SUITES

    found = [SUITES.get(name)() for name in SUITES if named_like(pattern, name)]
    measuring = [row for row in MEASURING if named_like(pattern, row[0])]
    _some([*found, *measuring], "probes", pattern)
    if as_json:
        said: list[dict[str, Any]] = [
            {
                "name": s.name,
                "title": s.title,
                "prompts": s.size,
                "samples": s.samples,
                "detector": s.detector,
                "judge": s.judge,
            }
            for s in found
        ]
        said += [{"name": name, "title": title} for name, title, *_ in measuring]
        click.echo(json.dumps(said, indent=1, ensure_ascii=False))
        return
    rows = [(s.name, s.title, _images_of(s), s.detector or s.judge or "—") for s in found]
    _print(("probe", "what it measures", "images", "detector or judge"), [*rows, *measuring])
    click.echo(f"Detectors: {', '.join(encoder_names('boxes'))}. Score a model with: evalkit probe NAME --model MODEL")
    click.echo("GPT-ImgEval is geneval, reason-edit, wise and decoder; rounds follows edits of edits.")


def _images_of(suite: Suite) -> str:
    """Prompts, and images of each where there are several."""
    prompts = f"{suite.size:,}" if suite.size else "yours"
    return prompts if suite.samples == 1 else f"{prompts} x {suite.samples}"


def _protocols(pattern: str, as_json: bool) -> None:
    from evalkit.protocols import load_protocol, protocol_ids

    found = [load_protocol(each) for each in _like(protocol_ids(), "protocols", pattern)]
    if as_json:
        click.echo(json.dumps([each.as_dict() for each in found], indent=1, ensure_ascii=False))
        return
    _print(("id", "what it is", "quirks", "source"), [(p.id, p.title, str(len(p.quirks)), p.source) for p in found])


def _metrics(pattern: str, as_json: bool) -> None:
    from evalkit.metrics.registry import METRICS

    found = [METRICS.get(name) for name in _like(METRICS, "metrics", pattern)]
    if as_json:
        click.echo(json.dumps({m.name: m.as_dict() for m in found}, indent=1, ensure_ascii=False))
        return
    rows = [(m.name, m.title, m.better, m.unit or "—", m.source) for m in found]
    _print(("metric", "what it is", "better", "unit", "source"), rows)


def _encoders(pattern: str, as_json: bool) -> None:
    from evalkit.encoders.registry import ENCODERS

    found = [(ENCODERS.get(name).kind, name) for name in _like(ENCODERS, "encoders", pattern)]
    if as_json:
        click.echo(json.dumps({name: kind for kind, name in sorted(found)}, indent=1))
        return
    _print(("kind", "encoder"), sorted(found))
    click.echo("Readers of text besides: http:URL#MODEL and transformers:REPO, as in --ocr.")


def _extractors(pattern: str, as_json: bool) -> None:
    from evalkit.encoders.registry import encoder_names
    from evalkit.metrics.registry import METRICS, of_task

    distances = {metric.needs[0]: metric.name for metric in of_task("distribution")}
    found = [(name, distances.get(name, "")) for name in _like(encoder_names("features"), "extractors", pattern)]
    if as_json:
        click.echo(json.dumps(dict(found), indent=1))
        return
    titles = {metric.name: metric.title for metric in METRICS.all()}
    _print(("extractor", "distance", "what it is"), [(name, metric, titles.get(metric, "")) for name, metric in found])


def _like(names: Iterable[str], kind: str, pattern: str) -> list[str]:
    return _some([name for name in names if named_like(pattern, name)], kind, pattern)


def _some(found: list[T], kind: str, pattern: str) -> list[T]:
    if not found:
        raise EvalkitError(f"none of the {kind} is named like {pattern!r}; list all with: evalkit ls {kind}")
    return found


def _print(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for place, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=place == 0)
    for row in rows:
        table.add_row(*row)
    Screen().print(table)
