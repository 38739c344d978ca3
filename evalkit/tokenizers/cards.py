"""Model cards: what is known of each tokenizer and generator, read from data files without importing torch."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from typing import Any, Literal

from evalkit.registry import Table, foreign_points, named_like, package_of

Kind = Literal["tokenizer", "generator"]


@dataclass(frozen=True)
class Published:
    """A number that a paper or a repository states, with where it was read and how sure that is.

    `certainty`: `read` (in the source itself) or `second-hand`; anything less sure is not printed as a fact.
    """

    metric: str
    value: float
    setting: str
    source: str
    certainty: str = "read"
    protocol: str | None = None


@dataclass(frozen=True)
class ModelCard:
    """One model: where it comes from, its licence, its size, and what is published of it."""

    name: str
    kind: Kind
    family: str
    module: str  # that registers it; in the file where it is not the package and the name of the file
    title: str
    code: str = ""
    paper: str = ""
    licence: str = ""
    weights: str | None = None
    parameters_m: float | None = None  # millions
    native_size: int = 256
    any_size: bool = True  # in multiples of its stride; others see large images in tiles of their own size
    tokens: int | None = None  # at 256 x 256, or at native_size where that is fixed
    codebook: str = ""
    value_range: str = "[-1, 1]"
    stochastic: bool = False
    encode_only: bool = False
    conditions: str = ""  # of generators: class, text or any
    tokenizer: str = ""  # of generators: what decodes their codes
    library: str = ""  # of generators: whose network it is, where it is not evalkit's own
    note: str = ""
    aliases: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()

    @property
    def weights_licence(self) -> str:
        """The licence of the weights, where it is another one than that of the code."""
        parts = [part.strip() for part in self.licence.split(",")]
        return next((part.removesuffix(" (weights)") for part in parts if part.endswith(" (weights)")), self.licence)

    @property
    def non_commercial(self) -> bool:
        """Whether the licence forbids commercial use."""
        return "-NC" in self.licence or "no commercial use" in self.licence


@cache
def tokenizer_cards() -> dict[str, ModelCard]:
    """Every tokenizer's card by name, from `evalkit/tokenizers/cards/*.toml`.

    A file holds `[family]` (shared fields) and one `[models.NAME]` table a model.
    """
    return _read("evalkit.tokenizers", "tokenizer")


@cache
def generator_cards() -> dict[str, ModelCard]:
    """Every generator's card by name, from `evalkit/generators/cards/*.toml`."""
    return _read("evalkit.generators", "generator")


def list_models(kind: Kind | None = None, pattern: str = "*") -> list[ModelCard]:
    """Cards of the models whose name or alias matches `pattern`, by name; models of other packages have bare ones.

    `pattern`: as of a shell; a plain word is looked for anywhere in a name.

    >>> [card.name for card in list_models("tokenizer", "jpeg-l*")]
    ['jpeg-lm']
    """
    cards: list[ModelCard] = []
    if kind in (None, "tokenizer"):
        cards += {**_foreign_cards("tokenizer"), **tokenizer_cards()}.values()
    if kind in (None, "generator"):
        cards += {**_foreign_cards("generator"), **generator_cards()}.values()
    return sorted((card for card in cards if named_like(pattern, card.name, *card.aliases)), key=lambda card: card.name)


def _foreign_cards(kind: Kind) -> dict[str, ModelCard]:
    found = foreign_points(f"evalkit.{kind}s").items()
    return {name: ModelCard(name, kind, "", p.module, f"of the package {package_of(p)}") for name, p in found}


def table_of(cards: Iterable[ModelCard], patterns: Mapping[str, str]) -> Table:
    """Names and aliases of `cards` with the modules that register them, as a registry takes them."""
    known = list(cards)
    modules = {card.name: card.module for card in known}
    return Table(modules, {alias: card.name for card in known for alias in card.aliases}, patterns)


def _read(package: str, kind: Kind) -> dict[str, ModelCard]:
    cards: dict[str, ModelCard] = {}
    for part in sorted((package_files(package) / "cards").iterdir(), key=lambda p: p.name):
        if part.name.endswith(".toml"):
            data = tomllib.loads(part.read_text(encoding="utf-8"))
            family = part.name.removesuffix(".toml")
            shared = {"module": f"{package}.{family}", **data.get("family", {})}
            for name, row in data["models"].items():
                cards[name] = _card(name, kind, family, {**shared, **row})
    return cards


def _card(name: str, kind: Kind, family: str, row: dict[str, Any]) -> ModelCard:
    published = tuple(Published(**each) for each in row.pop("published", ()))
    aliases = tuple(row.pop("aliases", ()))
    return ModelCard(name=name, kind=kind, family=family, published=published, aliases=aliases, **row)
