"""Declarations of judged benchmarks, read from evalkit/protocols/judged/<name>.toml or from a user's file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.protocols.judged.declaration import (
    AggregateRule,
    Anchor,
    CallRule,
    Declaration,
    ImageRule,
    ItemRule,
    ScoreRule,
    Source,
    TextRef,
)
from evalkit.protocols.protocol import Quirk
from evalkit.textfiles import read_toml

_FOLDER = "evalkit.protocols.judged"


@cache
def declared() -> tuple[str, ...]:
    """The names of all that are shipped; those with variants as NAME-VARIANT.

    >>> "wise" in declared()
    True
    """
    return tuple(sorted(_shipped()))


@cache
def load_declaration(name: str) -> Declaration:
    """The shipped declaration called `name`. Raises `EvalkitError` for an unknown one."""
    if name not in declared():
        raise EvalkitError(f"there is no judged benchmark {name!r}. Give one of {', '.join(declared())}")
    return _declaration(_shipped()[name], f"{name}.toml")


def read_declaration(path: Path) -> Declaration:
    """The declaration in a file. Raises `EvalkitError` in one sentence for anything else."""
    return _declaration(read_toml(path), path.name)


@cache
def _shipped() -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for path in sorted(package_files(_FOLDER).iterdir(), key=lambda each: each.name):
        if path.name.endswith(".toml"):
            plain = tomllib.loads(path.read_text(encoding="utf-8"))
            found |= {each["name"]: each for each in _variants(plain)}
    return found


def _variants(plain: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The declaration itself, or one for each of its variants, whose dotted names replace values."""
    rest = {key: value for key, value in plain.items() if key != "variants"}
    made = []
    for variant, changes in plain.get("variants", {}).items():
        one = {**deepcopy(rest), "name": f"{plain['name']}-{variant}"}
        for path, value in changes.items():
            *way, last = path.split(".")
            place: Any = one
            for step in way:
                place = place[int(step)] if isinstance(place, list) else place[step]
            place[last] = value
        made.append(one)
    return made or [rest]


def _declaration(found: Mapping[str, Any], name: str) -> Declaration:
    try:
        plain = _tupled(found)
        parts = {
            "source": Source(**plain["source"]),
            "items": ItemRule(**plain["items"]),
            "images": ImageRule(**plain["images"]),
            "calls": tuple(_call(each) for each in plain.get("calls", ())),
            "scores": tuple(ScoreRule(**each) for each in plain["scores"]),
            "aggregate": AggregateRule(**plain.get("aggregate", {})),
            "anchors": tuple(Anchor(**each) for each in plain.get("anchors", ())),
            "quirks": tuple(Quirk(**each) for each in plain.get("quirks", ())),
        }
        return Declaration(**{**plain, **parts})
    except DAMAGED as error:
        said = (
            f"{error} is missing" if isinstance(error, KeyError) else str(error).removeprefix("Declaration.__init__() ")
        )
        raise EvalkitError(f"{name} declares no judged benchmark: {said}. Follow docs/benchmarks.md") from None


def _call(found: Mapping[str, Any]) -> CallRule:
    texts = found["text"] if isinstance(found["text"], tuple) else (found["text"],)
    system = found.get("system")
    parts = {"text": tuple(TextRef(**each) for each in texts), "system": TextRef(**system) if system else None}
    return CallRule(**{**found, "corrected": found.get("corrected", found["read"]), **parts})


def _tupled(found: Any) -> Any:
    """Lists as tuples, so that declarations do not change."""
    if isinstance(found, Mapping):
        return {key: _tupled(value) for key, value in found.items()}
    return tuple(_tupled(each) for each in found) if isinstance(found, list) else found
