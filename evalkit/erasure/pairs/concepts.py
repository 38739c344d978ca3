"""Concepts that pairs can be made of: their names and descriptions, and what may stand in their place."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, get_args

from evalkit.erasure.pairs.pair import KINDS, Kind
from evalkit.errors import BadData, EvalkitError
from evalkit.textfiles import read_toml


@dataclass(frozen=True)
class Concept:
    """What the grammars need of a concept.

    `phrase`: how a sentence names it ("a church"). `replacements`: phrases of the same kind without it. `synonyms`,
    `implicit` (descriptions that avoid the name), `misspelt` and `other_languages`: further phrases. `near`: concepts
    that look alike and must stay.
    """

    name: str
    kind: Kind
    phrase: str
    replacements: tuple[str, ...]
    synonyms: tuple[str, ...] = ()
    implicit: tuple[str, ...] = ()
    misspelt: tuple[str, ...] = ()
    other_languages: tuple[str, ...] = ()
    near: tuple[str, ...] = ()


_TEXTS = ("name", "kind", "phrase")


@cache
def known_concepts() -> dict[str, Concept]:
    """The concepts that evalkit describes, by name."""
    data = (package_files("evalkit.erasure.pairs") / "concepts.toml").read_text(encoding="utf-8")
    return _concepts(tomllib.loads(data), "concepts.toml")


def find_concept(name: str, kind: str | None = None, path: str | Path | None = None) -> Concept:
    """The concept called `name`, from a file of the user where one is given, else evalkit's.

    Raises `EvalkitError` for an unknown name, another kind than asked for, and a file that describes none.
    """
    if path is None:
        known = known_concepts()
    else:
        known = _concepts(read_toml(path), str(path))
    found = known.get(name.lower())
    if found is None:
        raise EvalkitError(
            f"no concept {name!r} is described here; known: {', '.join(known)}. Describe it in a file and give --concepts FILE"
        )
    if kind is not None and found.kind != kind:
        raise EvalkitError(f"{name} is a concept of the kind {found.kind}, not {kind}. Leave out --kind")
    return found


def _concepts(data: Mapping[str, Any], what: str) -> dict[str, Concept]:
    return {name.lower(): _concept(name.lower(), row, f"{what}, [{name}]") for name, row in data.items()}


def _concept(name: str, row: Any, where: str) -> Concept:
    known = [field.name for field in fields(Concept) if field.name != "name"]
    if not isinstance(row, Mapping) or set(row) - set(known) or not {"kind", "phrase", "replacements"} <= set(row):
        raise BadData(
            f"{where} describes no concept. Give kind, phrase and replacements, and any of {', '.join(known[3:])}"
        )
    if row["kind"] not in get_args(Kind):
        raise BadData(f"{where}: kind is {row['kind']!r}. Give one of {', '.join(KINDS)}")
    lists = {key: value for key, value in row.items() if key not in _TEXTS}
    if not isinstance(row["phrase"], str) or not all(_texts(value) for value in lists.values()):
        raise BadData(f"{where}: phrase is text, all others are lists of texts. Mend it")
    return Concept(name, row["kind"], row["phrase"], **{key: tuple(value) for key, value in lists.items()})


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and each.strip() for each in value)
