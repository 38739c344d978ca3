"""How attacks are spelled: `name:argument:argument`, joined by `+`; and the names of grids, which stand for many."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.jobs.options import weights_by_name
from evalkit.registry import Registry
from evalkit.tokenizers.registry import tokenizer_alias
from evalkit.watermark.attacks.base import KEPT, Attack, Chain, Change, PixelAttack

Value = str | int | float
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Parameter:
    """One argument of a spelling; without a default it must be given. Numbers lie within [low, high]."""

    name: str
    kind: Literal["number", "whole", "word"] = "number"
    low: float = -math.inf
    high: float = math.inf
    default: Value | None = None
    choices: tuple[str, ...] = ()

    def read(self, text: str, spelling: str) -> Value:
        """The value that `text` says; raises `EvalkitError` with what was expected."""
        if self.kind == "word":
            if self.choices and text not in self.choices:
                raise EvalkitError(f"{spelling!r}: {self.name} is one of {', '.join(self.choices)}; {text!r} given")
            return text
        try:
            value = int(text) if self.kind == "whole" else float(text)
        except ValueError:
            value = math.nan
        if not self.low <= value <= self.high:
            what = "a whole number" if self.kind == "whole" else "a number"
            raise EvalkitError(f"{spelling!r}: {self.name} is {what} {self.bounds()}; {text!r} given")
        return value

    def bounds(self) -> str:
        """The range in words."""
        if math.isinf(self.low) and math.isinf(self.high):
            return "of any size"
        if math.isinf(self.high):
            return f"from {self.low:g}"
        return f"from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Options:
    """What network attacks need besides their spelling; `weights`: FILE, or NAME=FILE each."""

    device: str = "auto"
    dtype: str = "float32"
    weights: tuple[str, ...] = ()
    batch: int = 8

    def weights_of(self, name: str) -> str | Path | None:
        """The path given for the model `name`; a file without a name serves every model."""
        name = tokenizer_alias(name)
        return weights_by_name(self.weights, [name], canonical=tokenizer_alias, elsewhere=True).get(name)


Make = Callable[[str, Mapping[str, Any], Options], Attack]


@dataclass(frozen=True)
class Kind:
    """A kind of attack: its parameters in order, how one is made, what it does, and where its numbers come from."""

    name: str
    parameters: tuple[Parameter, ...]
    make: Make = field(repr=False, compare=False)
    about: str

    @property
    def usage(self) -> str:
        """`crop:SIDE[:PLACE]`."""
        parts = [f":{p.name.upper()}" if p.default is None else f"[:{p.name.upper()}]" for p in self.parameters]
        return self.name + "".join(parts)


def _import_kinds() -> None:
    import evalkit.watermark.attacks as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")


KINDS: Registry[Kind] = Registry("attack", _import_kinds, "evalkit.attacks", listing="evalkit watermark attack --list")
GRIDS: dict[str, tuple[str, ...]] = {}


def register(name: str, *parameters: Parameter, about: str) -> Callable[[Make], Make]:
    """Decorator of a function that makes the attack `name` from its canonical spelling, values and options."""

    def add(make: Make) -> Make:
        KINDS.add(name, Kind(name, parameters, make, about))
        return make

    return add


def pixels(name: str, *parameters: Parameter, about: str, size: str = KEPT) -> Callable[[F], F]:
    """Decorator of a function `(image, rng, **parameters) -> image` that is the attack `name`."""

    def add(function: F) -> F:
        def make(spelling: str, values: Mapping[str, Any], options: Options) -> Attack:
            def change(image: Pixels, rng: Any) -> Pixels:
                changed: Pixels = function(image, rng, **values)
                return changed

            typed: Change = change
            return PixelAttack(spelling, dict(values), typed, size)

        KINDS.add(name, Kind(name, parameters, make, about))
        return function

    return add


def read_attack(spelling: str, options: Options | None = None) -> Attack:
    """The attack that `spelling` names, such as `jpeg:75` or `crop:0.8+jpeg:75`.

    Raises `EvalkitError` for unknown names, missing, superfluous and impossible arguments.

    >>> read_attack("jpeg:75").parameters
    {'quality': 75, 'subsampling': '420'}
    """
    chosen = options or Options()
    steps: list[Attack] = []
    for part in spelling.split("+"):
        found = _read_one(part.strip(), chosen)
        steps += found.steps if isinstance(found, Chain) else (found,)
    return Chain.of(steps)


def grids() -> Mapping[str, tuple[str, ...]]:
    """Every named grid with the spellings that it stands for."""
    KINDS.get("png")  # fills the registries
    return GRIDS


def read_attacks(spellings: Sequence[str], options: Options | None = None) -> list[Attack]:
    """The attacks that spellings and names of grids stand for, each once, in order.

    >>> [attack.name for attack in read_attacks(["png", "jpeg:90", "jpeg:90"])]
    ['png', 'jpeg:90']
    """
    wanted = [each for spelling in spellings for each in grids().get(spelling, (spelling,))]
    found = [read_attack(each, options) for each in wanted]
    return list({attack.name: attack for attack in found}.values())


def _read_one(text: str, options: Options) -> Attack:
    name, *given = text.split(":")
    kind = KINDS.get(name)
    if len(given) > len(kind.parameters) and any(p.kind == "word" for p in kind.parameters):
        given = _joined(given, kind)
    needed = sum(p.default is None for p in kind.parameters)
    if not needed <= len(given) <= len(kind.parameters):
        raise EvalkitError(f"{text!r} has {len(given)} arguments; type {kind.usage}: {kind.about}")
    values = {p.name: p.read(each, text) for p, each in zip(kind.parameters, given, strict=False)}
    said = [_shown(value) for value in _told(kind, values)]
    values |= {p.name: p.default for p in kind.parameters if p.name not in values and p.default is not None}
    return kind.make(":".join([name, *said]), values, options)


def _joined(given: list[str], kind: Kind) -> list[str]:
    """Arguments of which one, the first word, holds colons itself (a path, a class of runner)."""
    surplus = len(given) - len(kind.parameters)
    at = next(i for i, p in enumerate(kind.parameters) if p.kind == "word")
    return [*given[:at], ":".join(given[at : at + surplus + 1]), *given[at + surplus + 1 :]]


def _told(kind: Kind, values: Mapping[str, Value]) -> list[Value]:
    """The values that a canonical spelling holds: defaults at its end are left out."""
    pairs = [(values[p.name], p.default) for p in kind.parameters if p.name in values]
    while pairs and pairs[-1][0] == pairs[-1][1]:
        pairs.pop()
    return [value for value, _ in pairs]


def _shown(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
