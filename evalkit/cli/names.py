"""Shell completion of names: models, suites, protocols, metrics, encoders and the rest that a registry knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

Known = Callable[[], Iterable[str]]


class Name(click.types.StringParamType):
    """A text that is completed with `known`; of several with commas between, the last one."""

    def __init__(self, known: Known) -> None:
        self.known = known

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin with what was typed."""
        before, comma, last = incomplete.rpartition(",")
        return [CompletionItem(f"{before}{comma}{name}") for name in sorted(self.known()) if name.startswith(last)]


def complete_names(command: click.Command) -> None:
    """Let the parameters of a command that take names be completed."""
    home = getattr(command.callback, "__module__", "").rpartition(".")[2]
    for each in command.params:
        option = max(each.opts, key=len)
        known = KNOWN.get(f"{home} {option}", KNOWN.get(option))
        if known is not None and type(each.type) is click.types.StringParamType:
            each.type = Name(known)


def _tokenizers() -> Iterable[str]:
    from evalkit.tokenizers.registry import TOKENIZERS

    return TOKENIZERS


def _generators() -> Iterable[str]:
    from evalkit.registry import foreign_points
    from evalkit.tokenizers.cards import generator_cards  # the registry itself imports torch

    return {*generator_cards(), *foreign_points("evalkit.generators")}


def _suites() -> Iterable[str]:
    from evalkit.tasks.probe.suite import SUITES

    return SUITES


def _judged() -> Iterable[str]:
    from evalkit.protocols.judged import declared

    return declared()


def _prompts() -> Iterable[str]:
    from evalkit.prompts.load import SUITES

    return (*SUITES, "classes:imagenet")


def _protocols() -> Iterable[str]:
    from evalkit.protocols import protocol_ids

    return protocol_ids()


def _score_protocols() -> Iterable[str]:
    from evalkit.protocols.score.protocol import score_protocol_ids

    return score_protocol_ids()


def _metrics() -> Iterable[str]:
    from evalkit.metrics.registry import METRICS

    return METRICS


def _systems() -> Iterable[str]:
    from evalkit.systems.catalog import SYSTEMS

    return SYSTEMS


def _methods() -> Iterable[str]:
    from evalkit.watermark.spec import NUMBERS

    return NUMBERS


def _encoders(kind: Any) -> Known:
    def known() -> Iterable[str]:
        from evalkit.encoders.registry import encoder_names

        return encoder_names(kind)

    return known


def _weights() -> Iterable[str]:
    from evalkit.weights.find import weights_manifest

    return {*_tokenizers(), *_generators(), *weights_manifest()}


def _every_protocol() -> Iterable[str]:
    return (*_protocols(), *_score_protocols())


# By the option's longest spelling, or argument's name; before it the file of the verb where the file decides.
KNOWN: dict[str, Known | None] = {
    "--model": _generators,
    "tokenizer --model": _tokenizers,
    "erasure_pairs --model": None,
    "imported --model": None,
    "--base": _generators,
    "--tokenizer": _tokenizers,
    "--prompts": _prompts,
    "--protocol": _protocols,
    "score --protocol": _score_protocols,
    "--score-protocol": _score_protocols,
    "--score-ahead": _metrics,
    "--metric": _metrics,
    "--metrics": _metrics,
    "--aggregate": _metrics,
    "--features": _encoders("features"),
    "--detector": _encoders("boxes"),
    "--domain": _encoders("boxes"),
    "--ocr": _encoders("text"),
    "--method": _methods,
    "probe suite": _suites,
    "probes name": _judged,
    "protocol id": _every_protocol,
    "protocol a": _every_protocol,
    "protocol b": _every_protocol,
    "systems id": _systems,
    "weights pattern": _weights,
}
