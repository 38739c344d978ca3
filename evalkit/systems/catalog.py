"""The cards by name, read from `evalkit/systems/*.toml` when they are first asked for."""

from __future__ import annotations

import tomllib
from importlib.resources import files as package_files

from evalkit.errors import EvalkitError
from evalkit.registry import Registry
from evalkit.systems.card import RUNNERS, SystemCard, parse_card


def _read() -> None:
    for part in sorted(package_files("evalkit.systems").iterdir(), key=lambda p: p.name):
        if part.name.endswith(".toml"):
            card = parse_card(part.name.removesuffix(".toml"), tomllib.loads(part.read_text(encoding="utf-8")))
            SYSTEMS.add(card.id, card, card.aliases)


SYSTEMS: Registry[SystemCard] = Registry("system", _read, listing="evalkit systems")


def load_system(name: str) -> SystemCard:
    """The card called `name`, or that has it as an alias; an unknown name is an `EvalkitError` with the nearest ones.

    >>> load_system("var").arxiv
    '2404.02905'
    """
    return SYSTEMS.get(name)


def list_systems(category: str | None = None, runner: str | None = None) -> list[SystemCard]:
    """Cards by name: those whose category has `category` in its name, and those of one kind of runner.

    Raises `EvalkitError` that lists what there is for a category or kind that no card has.

    >>> [card.id for card in list_systems("tokenizer")]
    ['detailflow', 'gigatok', 'hita']
    """
    cards = [SYSTEMS.get(name) for name in SYSTEMS]
    known = sorted({card.category for card in cards}, key=str.lower)
    chosen = known if category is None else [each for each in known if category.lower() in each.lower()]
    if not chosen:
        raise EvalkitError(f"there is no category {category!r}; give one of {', '.join(known)}")
    if runner is not None and runner not in RUNNERS:
        raise EvalkitError(f"there is no kind of runner {runner!r}; give one of {', '.join(RUNNERS)}")
    return [card for card in cards if card.category in chosen and runner in (None, card.runner)]
