"""A system's card: strict, so that a card which is wrong in form cannot be read."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Literal

from evalkit.errors import EvalkitError
from evalkit.systems.measures import MEASURES, RULES
from evalkit.typed import built

Category = Literal[
    "benchmark",
    "c2i generator",
    "decoding/acceleration",
    "editing/control",
    "erasure",
    "multi-view/NVS",
    "other",
    "representation learning",
    "STR/OCR",
    "super-resolution",
    "survey",
    "t2i generator",
    "tokenizer",
    "understanding/captioning",
    "unified model",
    "video/world model",
    "watermark",
]
Runner = Literal["native", "library", "worker", "scored", "reported"]
RUNNERS = {
    "native": "a network of evalkit's own reads the official weights",
    "library": "a class of transformers or diffusers draws",
    "worker": "a program in an environment of its own draws, and evalkit speaks to it",
    "scored": "evalkit takes the images that it made",
    "reported": "evalkit shows what it states, and runs nothing of it",
}
Certainty = Literal["read", "second-hand"]
ACTS = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, directions and joiners, halves of characters, line separators


@dataclass(frozen=True)
class Number:
    """A value that is stated of a system. `certainty` is `read` where it was read in `source` itself.

    `measure` is a name of `MEASURES`, `rule` one of `RULES` (how the authors took it; empty where they do not say).
    """

    measure: str
    value: float
    setting: str
    source: str
    certainty: Certainty = "read"
    unit: str = ""
    rule: str = ""

    @property
    def verified(self) -> bool:
        """Whether it was read in the source; anything else is shown as unverified."""
        return self.certainty == "read"


@dataclass(frozen=True)
class Step:
    """One thing to do: an `evalkit` command line, or a command of other software (`outside`)."""

    do: str
    command: str = ""
    outside: str = ""


@dataclass(frozen=True)
class SystemCard:
    """One system: what it is, what is stated of it (the headline number first), and how evalkit evaluates it.

    `generators`, `tokenizers`: evalkit's names for it or for what it is built on. `worker`: a file in docs/workers.
    `steps` lead to the headline number as far as evalkit goes today; `missing` says, part by part, what evalkit lacks.
    `unstated` says why there is no number.
    """

    id: str
    title: str
    year: int
    arxiv: str
    category: Category
    what: str
    weights: str
    licence: str
    runner: Runner
    measures: tuple[str, ...]
    hardware: str
    data: str
    steps: tuple[Step, ...] = ()
    missing: tuple[str, ...] = ()
    numbers: tuple[Number, ...] = ()
    unstated: str = ""
    code: str = ""
    code_note: str = ""
    tokenizer: str = ""
    generators: tuple[str, ...] = ()
    tokenizers: tuple[str, ...] = ()
    worker: str = ""
    aliases: tuple[str, ...] = ()
    note: str = ""

    @property
    def headline(self) -> Number | None:
        """The number that the plan is about."""
        return self.numbers[0] if self.numbers else None


def parse_card(name: str, data: dict[str, Any]) -> SystemCard:
    """The card in the parsed TOML `data` of the file `name`.toml; raises `EvalkitError` that names file and field."""
    _check_texts(data, f"{name}.toml")
    card = built(SystemCard, data, f"the system card {name}.toml")
    if card.id != name:
        raise _wrong(f"{name}.toml", f"id is {card.id!r}; give {name!r}, the name of the file")
    if not re.fullmatch(r"\d{4}\.\d{4,5}", card.arxiv):
        raise _wrong(f"{name}.toml", f"arxiv is {card.arxiv!r}; give a number such as 2404.02905")
    if not 2015 <= card.year <= 2100:
        raise _wrong(f"{name}.toml", f"year is {card.year}; give the year of the paper")
    if card.code and not card.code.startswith("https://"):
        raise _wrong(f"{name}.toml", f"code is {card.code!r}; give an https address, or words in code_note")
    if bool(card.numbers) == bool(card.unstated):
        raise _wrong(f"{name}.toml", "give numbers, or the reason for having none in unstated (not both)")
    for measure in (*card.measures, *(number.measure for number in card.numbers)):
        if measure not in MEASURES:
            raise _wrong(f"{name}.toml", f"there is no measure {measure!r}; give one of {', '.join(MEASURES)}")
    for number in card.numbers:
        if number.rule and number.rule not in RULES:
            raise _wrong(f"{name}.toml", f"there is no rule {number.rule!r}; give one of {', '.join(RULES)}")
    for step in card.steps:
        if bool(step.command) == bool(step.outside):
            raise _wrong(f"{name}.toml", f"the step {step.do!r} needs either command or outside")
        if step.command and not step.command.startswith("evalkit "):
            raise _wrong(f"{name}.toml", f"the command {step.command!r} is none of evalkit's; give it as outside")
    return card


def _check_texts(data: Any, place: str) -> None:
    """Raise `EvalkitError` for a text that is empty, or holds what acts instead of showing."""
    if isinstance(data, dict | list):
        for key, each in data.items() if isinstance(data, dict) else enumerate(data, 1):
            _check_texts(each, f"{place}, {key}" if isinstance(data, dict) else f"{place} {key}")
    elif isinstance(data, str) and not data.strip():
        raise _wrong(place, "empty; leave the key out instead")
    elif isinstance(data, str) and any(unicodedata.category(c) in ACTS for c in data):
        raise _wrong(place, f"{data!r} holds a line break or another character that acts instead of showing")


def _wrong(place: str, said: str) -> EvalkitError:
    return EvalkitError(f"the system card {place}: {said}")
