"""Frozen dataclasses of plain data, as parsed TOML or JSON holds them: every key known, every value of its stated type."""

from __future__ import annotations

import difflib
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from evalkit.errors import EvalkitError

T = TypeVar("T")
_WORDS: dict[Any, str] = {str: "text in quotes", int: "a whole number", float: "a number", bool: "true or false"}


def built(kind: type[T], data: Any, place: str) -> T:
    """An instance of the dataclass `kind` from a table; lists become tuples, and nested tables their own dataclasses.

    A whole number may stand where a number is wanted, and stays one. `place`: what a message calls the table. Raises
    `EvalkitError` in one sentence for an unknown or missing key and for a value of another type.

    >>> from dataclasses import make_dataclass
    >>> built(make_dataclass("Stated", [("model", str), ("scores", tuple[float, ...])]), {"model": "a", "scores": [1]}, "x")
    Stated(model='a', scores=(1,))
    """
    if not isinstance(data, Mapping):
        raise EvalkitError(f"{place} is {_short(data)}. Give a table")
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"The keys are {', '.join(known)}."
            raise EvalkitError(f"{place} has an unknown key {key!r}. {hint}")
    for name, each in known.items():
        if name not in data and each.default is MISSING and each.default_factory is MISSING:
            raise EvalkitError(f"{place} has no {name}. The keys are {', '.join(known)}")
    hints: Mapping[str, Any] = _hints(kind)  # type: ignore[arg-type]  # a class is hashable
    return kind(**{key: _value(hints[key], value, f"{place}, {key}") for key, value in data.items()})


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _value(kind: Any, value: Any, place: str) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return _frozen(value, place)
    if is_dataclass(kind) and isinstance(kind, type):
        return built(kind, value, place)
    if origin in (Union, types.UnionType):
        return _one_of(parts, value, place)
    if origin is Literal:
        if not isinstance(value, str) or value not in parts:
            raise EvalkitError(f"{place} is {_short(value)}. Give one of {', '.join(parts)}")
        return value
    if origin is tuple:
        return _several(parts, value, place)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise EvalkitError(f"{place} is {_short(value)}. Give a table")
        return {key: _value(parts[1], each, f"{place}, {key}") for key, each in value.items()}
    if type(value) is kind or (kind is float and type(value) is int):
        if kind is float and not math.isfinite(value):
            raise EvalkitError(f"{place} is {value}. Give a finite number")
        return value
    raise EvalkitError(f"{place} is {_short(value)}. Give {_WORDS.get(kind, kind)}")


def _several(parts: tuple[Any, ...], value: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise EvalkitError(f"{place} is {_short(value)}. Give a list")
    kinds = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
    if len(kinds) != len(value):
        raise EvalkitError(f"{place} has {len(value)} entries. Give {len(kinds)}")
    return tuple(_value(one, each, f"{place} {n}") for n, (one, each) in enumerate(zip(kinds, value, strict=True), 1))


def _one_of(kinds: tuple[Any, ...], value: Any, place: str) -> Any:
    """The first of the kinds that the value is of; a message is that of the first."""
    if value is None and type(None) in kinds:
        return None
    tried = [kind for kind in kinds if kind is not type(None)]
    for kind in tried:
        try:
            return _value(kind, value, place)
        except EvalkitError:
            if kind is tried[-1]:
                raise
    return value


def _frozen(value: Any, place: str) -> Any:
    """Plain data of any shape, with tuples for lists."""
    if isinstance(value, Mapping):
        return {key: _frozen(each, f"{place}, {key}") for key, each in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise EvalkitError(f"{place} is {value}. Give a finite number")
    return tuple(_frozen(each, place) for each in value) if isinstance(value, list | tuple) else value


def _short(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 60 else f"{said[:57]}…"
