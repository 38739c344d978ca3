"""Declarations of judged benchmarks, read from evalkit/protocols/judged/<name>.toml or from a user's file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
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

_FOLDER = "evalkit.protocols.judged"


def declared() -> tuple[str, ...]:
    """The names of all that are shipped.

    >>> "wise" in declared()
    True
    """
    names = (each.name for each in package_files(_FOLDER).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


@cache
def load_declaration(name: str) -> Declaration:
    """The shipped declaration called `name`. Raises `EvalkitError` for an unknown one."""
    if name not in declared():
        raise EvalkitError(f"there is no judged benchmark {name!r}. Give one of {', '.join(declared())}")
    text = (package_files(_FOLDER) / f"{name}.toml").read_text(encoding="utf-8")
    return _declaration(tomllib.loads(text), f"{name}.toml")


def read_declaration(path: Path) -> Declaration:
    """The declaration in a file. Raises `EvalkitError` in one sentence for anything else."""
    try:
        return _declaration(tomllib.loads(path.read_text(encoding="utf-8")), path.name)
    except OSError as error:
        raise EvalkitError(f"{path} cannot be read: {error.strerror}. Give a benchmark's TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EvalkitError(f"{path.name} is no TOML: {str(error).splitlines()[0][:120]}. Mend the file") from None


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
    except (KeyError, TypeError, AttributeError, ValueError) as error:
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
