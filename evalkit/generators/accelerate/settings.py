"""What can be asked of `--accelerate`: names, parameters, and how they are typed."""

from __future__ import annotations

import difflib
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, ClassVar

from evalkit.errors import EvalkitError
from evalkit.generators.accelerate.hack import Hack

JACOBI = "jacobi"


@dataclass(frozen=True)
class Speculative:
    """Drafted codes are kept by exact acceptance: the law of the images is the plain loop's.

    `draft`: a smaller model of the same tokenizer, or `jacobi` for the model's own guesses of the round before; `length`:
    codes drafted in a round.
    """

    kind: ClassVar[str] = "speculative"
    law: ClassVar[str] = "unchanged"
    example: ClassVar[str] = "speculative:length=5"
    draft: str = JACOBI
    length: int = 5

    def __post_init__(self) -> None:
        _positive(self, "length")


@dataclass(frozen=True)
class Lantern(Speculative):
    """LANTERN (arXiv 2410.03355): a code counts with its `k` nearest in the codebook, up to `delta` of added probability.

    `delta` above 1 bounds what is added to (delta - 1) times the code's own probability. `k` 0 is exact.
    """

    kind: ClassVar[str] = "lantern"
    law: ClassVar[str] = "changed"
    example: ClassVar[str] = "lantern:k=1000,delta=0.1"
    k: int = 1000
    delta: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        _not_negative(self, "k", "delta")


@dataclass(frozen=True)
class Gsd(Speculative):
    """GSD (arXiv 2508.07747): a code counts with `half` neighbours of its rank on each side, if near and as likely.

    `probability`, `distance`: how far these may be away, in probability and in squared distance. `half` 0 is exact.
    """

    kind: ClassVar[str] = "gsd"
    law: ClassVar[str] = "changed"
    example: ClassVar[str] = "gsd:length=16"
    length: int = 16
    half: int = 7
    probability: float = 0.15
    distance: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        _not_negative(self, "half")
        _positive(self, "probability", "distance")


@dataclass(frozen=True)
class Cspd:
    """CSpD (arXiv 2411.11925) on MAR: `draft` makes the latents of `length` iterations, which are judged in one pass.

    `prefill`: share of the iterations, at the start, that the accelerated model makes itself (1 is the plain run); `slack`:
    divides distances to both means when densities are compared, as in the official code; `tries`: proposals in place of a
    rejected latent, after which the accelerated model's own sample is taken.
    """

    kind: ClassVar[str] = "cspd"
    law: ClassVar[str] = "changed"
    example: ClassVar[str] = "cspd:draft=mar-b,length=4"
    draft: str
    length: int = 4
    prefill: float = 0.05
    slack: float = 42.0
    tries: int = 100

    def __post_init__(self) -> None:
        _positive(self, "length", "slack", "tries")
        if not 0 <= self.prefill <= 1:
            raise EvalkitError(f"cspd: prefill is a share from 0 to 1; {self.prefill:g} given, try prefill=0.05")


Settings = Speculative | Cspd | Hack
KINDS: dict[str, type[Settings]] = {
    "speculative": Speculative,
    "lantern": Lantern,
    "gsd": Gsd,
    "cspd": Cspd,
    "hack": Hack,
}
_EXAMPLES = {name: getattr(kind, "example", "hack:budget=0.5") for name, kind in KINDS.items()}
_TYPES: dict[str, tuple[type, str]] = {
    "int": (int, "a whole number"),
    "float": (float, "a number"),
    "str": (str, "a name"),
}


def kind_of(settings: Settings) -> str:
    """The name that is typed for it."""
    return next(name for name, kind in KINDS.items() if type(settings) is kind)


def as_dict(settings: Settings) -> dict[str, Any]:
    """Plain data, as plans and records keep it."""
    return {"kind": kind_of(settings), **asdict(settings)}


def parse(text: str) -> Settings:
    """Settings from `NAME` or `NAME:parameter=value,...`; raises `EvalkitError` for anything else.

    >>> parse("speculative:draft=llamagen-b,length=4")
    Speculative(draft='llamagen-b', length=4)
    """
    name, _, rest = text.strip().partition(":")
    if name not in KINDS:
        close = difflib.get_close_matches(name, KINDS, 1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(KINDS)}."
        raise EvalkitError(
            f"there is no acceleration called {name!r}; {hint} Try --accelerate {_EXAMPLES['speculative']}"
        )
    given: dict[str, Any] = {}
    known = {each.name: each for each in fields(KINDS[name])}
    for part in filter(None, (each.strip() for each in rest.split(","))):
        key, equals, value = part.partition("=")
        if not equals or key not in known:
            raise EvalkitError(
                f"{name} takes {', '.join(f'{each}=…' for each in known)}; {part!r} given, try {_EXAMPLES[name]}"
            )
        if key in given:
            raise EvalkitError(f"{name}: {key} is given twice in {text!r}")
        given[key] = _value(name, key, value, str(known[key].type))
    missing = [key for key, each in known.items() if each.default is MISSING and key not in given]
    if missing:
        raise EvalkitError(f"{name} needs {' and '.join(missing)}; try {_EXAMPLES[name]}")
    return KINDS[name](**given)


def _value(name: str, key: str, text: str, kind: str) -> Any:
    convert, what = _TYPES[kind]
    try:
        value = convert(text)
    except ValueError:
        raise EvalkitError(f"{name}: {key} is {what}; {text!r} given, try {_EXAMPLES[name]}") from None
    if value != value or value == "":
        raise EvalkitError(f"{name}: {key} is {what}; {text!r} given, try {_EXAMPLES[name]}")
    return value


def _positive(settings: Speculative | Cspd, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if value <= 0:
            raise EvalkitError(f"{settings.kind}: {name} is above 0; {value:g} given, try {settings.example}")


def _not_negative(settings: Speculative, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if value < 0:
            raise EvalkitError(f"{settings.kind}: {name} is 0 or more; {value:g} given, try {settings.example}")
