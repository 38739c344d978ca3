"""Declarations of judged benchmarks, read from evalkit/protocols/judged/<name>.toml or from a user's file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.protocols.judged.declaration import Declaration
from evalkit.textfiles import read_toml
from evalkit.typed import built

MOST = 1000  # samples, tries, and images of a side in a grid
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
    calls = found.get("calls", ())
    calls = tuple(_call(each) for each in calls) if isinstance(calls, list | tuple) else calls
    said = built(Declaration, {"aggregate": {}, **found, "calls": calls}, name)
    _check(said, name)
    return said


def _check(said: Declaration, name: str) -> None:
    """Raise `EvalkitError` for what has the right types and still declares nothing."""
    counts = {"tries": said.tries, "samples": said.images.samples, "grid": said.images.grid}
    for what, number in counts.items():
        if not 1 <= number <= MOST:
            raise EvalkitError(f"{name}, {what} is {number}. Give 1 to {MOST}")
    parts: dict[str, object] = {
        "score": said.scores,
        "name": said.name.strip(),
        "image extension": said.images.extensions,
    }
    for call in said.calls:
        parts |= {f"content of the call {call.name!r}": call.content, "name of a call": call.name.strip()}
    for what, part in parts.items():
        if not part:
            raise EvalkitError(f"{name} has no {what}. Follow docs/benchmarks.md")
    for call in said.calls:
        for how in (call.read, call.corrected):
            if not isinstance(how.get("kind"), str):
                raise EvalkitError(f"{name}, the reader of the call {call.name!r} has no kind. Give kind in quotes")


def _call(found: Any) -> Any:
    """One text as a list of one; the official reader stands for the corrected one that is not there."""
    if not isinstance(found, Mapping):
        return found
    texts = found.get("text")
    one = {"text": [texts]} if isinstance(texts, Mapping) else {}
    other = {"corrected": found["read"]} if "read" in found and "corrected" not in found else {}
    return {**found, **one, **other}
