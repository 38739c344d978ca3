"""Parse a command line of evalkit with the real commands, look every name up, and run nothing."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from evalkit.errors import EvalkitError


@dataclass(frozen=True)
class Parsed:
    """The verb (`weights fetch`), its parameters by name, and the models that it names."""

    verb: str
    parameters: dict[str, Any]
    models: tuple[str, ...]


def parse_line(line: str) -> Parsed:
    """What `line` (evalkit VERB …) asks for; raises `EvalkitError` where evalkit would not understand it."""
    from evalkit.cli import group

    program, *words = shlex.split(line)
    if program != "evalkit":
        raise EvalkitError(f"{line!r} is no command of evalkit. Type: evalkit VERB …")
    command: click.Command = group
    context = click.Context(
        group, info_name=program, **group.context_settings
    )  # click keeps -h of the first one for good
    path: list[str] = []
    while isinstance(command, click.Group):
        if path and command.invoke_without_command and all(word.startswith("-") for word in words[:1]):
            break  # the group itself does something, such as listing
        name = words.pop(0) if words else ""
        found = command.get_command(context, name)
        if found is None:
            raise EvalkitError(f"{line!r}: there is no {' '.join([*path, name])!r}")
        if name in command.list_commands(context):
            path.append(name)
        else:  # the word is none of its commands, but the first argument of what it does by itself (probe SUITE)
            words.insert(0, name)
        if isinstance(found, click.Group):
            context = click.Context(found, parent=context, info_name=name)
        command = found
    try:
        parameters = command.make_context(path[-1], words, parent=context).params
    except click.ClickException as error:
        raise EvalkitError(f"{line!r}: {error.format_message()}") from None
    verb = " ".join(path)
    return Parsed(verb, parameters, _models(verb, parameters))


def check_line(line: str) -> Parsed:
    """`parse_line`, and every model, protocol, task, extractor, weight and system that the line names exists."""
    parsed = parse_line(line)
    check = CHECKS.get(parsed.verb)
    if check is not None:
        try:
            check(parsed.parameters)
        except EvalkitError as error:
            raise EvalkitError(f"{line!r}: {error}") from None
    return parsed


def _models(verb: str, given: dict[str, Any]) -> tuple[str, ...]:
    if verb == "tokenizer":
        return tuple(given["models"])
    if verb == "generate":
        return (given["model"],)
    if verb == "watermark embed":
        return (given["model"],) if given["model"] else ()
    return (given["pattern"],) if verb == "weights fetch" else ()


def _tokenizer(given: dict[str, Any]) -> None:
    from evalkit.encoders.registry import encoder_entry
    from evalkit.protocols import load_protocol
    from evalkit.tasks.tokenizer import TASKS
    from evalkit.tokenizers.registry import TOKENIZERS, name_and_side

    for name in given["models"]:
        TOKENIZERS.get(name_and_side(name)[0])
    for name in given["protocols"]:
        load_protocol(name)
    for name in filter(None, given["features"].split(",")):
        encoder_entry(name, "features")
    if unknown := set(given["tasks"].split(",")) - set(TASKS):
        raise EvalkitError(f"there is no task called {sorted(unknown)[0]!r}; give some of {', '.join(TASKS)}")


def _generate(given: dict[str, Any]) -> None:
    from evalkit.generators.registry import GENERATORS
    from evalkit.prompts.load import load_prompts

    GENERATORS.get(given["model"])
    if not given["prompts"].endswith((".jsonl", ".txt")):
        load_prompts(given["prompts"])
    if given.get("accelerate"):
        from evalkit.generators.accelerate.settings import JACOBI, parse

        draft = getattr(parse(given["accelerate"]), "draft", JACOBI)
        if draft != JACOBI:
            GENERATORS.get(draft)


def _score(given: dict[str, Any]) -> None:
    from evalkit.generators.registry import GENERATORS
    from evalkit.metrics.paired import paired_metrics
    from evalkit.metrics.sets.names import chosen_metrics
    from evalkit.protocols.score import load_score_protocol
    from evalkit.tasks.scoring import kind_of

    names = [name for name in (given["metrics"] or "").split(",") if name]
    if any(given[name] is not None for name in ("log_likelihoods", "captions", "cameras")):
        return
    kind = kind_of(names, reference=given["reference"], model=given["model"], paired=given["paired"])
    if kind == "paired":
        paired_metrics(names)
        return
    if kind == "likelihood":
        GENERATORS.get(given["model"])
        return
    chosen_metrics(names, load_score_protocol(given["protocol"]), reference=given["reference"] is not None)


def _probe(given: dict[str, Any]) -> None:
    from evalkit.generators.registry import GENERATORS
    from evalkit.tasks.probe.spec import suite_called

    suite_called(given["suite"])
    if given["model"]:
        GENERATORS.get(given["model"])


def _mark(given: dict[str, Any]) -> None:
    from evalkit.tokenizers.registry import TOKENIZERS, name_and_side
    from evalkit.watermark.spec import numbers_of

    if given["tokenizer"]:
        TOKENIZERS.get(name_and_side(given["tokenizer"])[0])
    if given["method"]:
        numbers_of(given["method"])


def _embed(given: dict[str, Any]) -> None:
    _mark(given)
    if given["model"]:
        _generate(given)


def _attack(given: dict[str, Any]) -> None:
    from evalkit.watermark.attacks import read_attacks

    read_attacks(given["spellings"])


def _robustness(given: dict[str, Any]) -> None:
    _mark(given)
    _attack(given)


def _nothing(given: dict[str, Any]) -> None:
    """No name of evalkit's is in it."""


def _weights(given: dict[str, Any]) -> None:
    from evalkit.systems.weights import weight_states

    weight_states(given["pattern"])


def _show_protocol(given: dict[str, Any]) -> None:
    from evalkit.cli.protocol import protocols_called

    for name in (given.get("id"), given.get("a"), given.get("b")):
        if name is not None:
            protocols_called(name)


def _system(given: dict[str, Any]) -> None:
    from evalkit.systems import load_system

    load_system(given["id"])


CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "tokenizer": _tokenizer,
    "generate": _generate,
    "watermark keygen": _nothing,
    "watermark embed": _embed,
    "watermark detect": _mark,
    "watermark attack": _attack,
    "watermark robustness": _robustness,
    "score": _score,
    "probe": _probe,
    "leaderboard": _nothing,
    "compare": _nothing,
    "track": _nothing,
    "import": _nothing,
    "query": _nothing,
    "sign": _nothing,
    "verify": _nothing,
    "weights fetch": _weights,
    "weights list": _weights,
    "weights check": _weights,
    "protocol show": _show_protocol,
    "protocol diff": _show_protocol,
    "systems show": _system,
    "systems plan": _system,
}
