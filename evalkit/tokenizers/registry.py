"""Names of tokenizers, and `load_tokenizer`, which turns a name and a weight file into a working model."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evalkit.device import pick_device, pick_dtype
from evalkit.errors import EvalkitError
from evalkit.registry import Registry, Table
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.cards import table_of, tokenizer_cards

if TYPE_CHECKING:
    import torch

    from evalkit.tokenizers.network import NetworkTokenizer

C = TypeVar("C", bound=type[Tokenizer])


@dataclass(frozen=True)
class Entry:
    """A registered tokenizer: its class, its configuration, and the key of its weight file in the weights manifest."""

    name: str
    cls: type[Tokenizer]
    config: Any
    weights: str | None


MOST_SIDE = 8192
PATTERNS = {r"(?:jpeg|webp)-q(\d{1,3})": "evalkit.tokenizers.codec:at_quality"}


def _table() -> Table:
    """Every card that can decode names the module of its family; names by pattern have cards, but no entry."""
    cards = [card for card in tokenizer_cards().values() if not card.encode_only]
    return table_of([card for card in cards if not any(re.fullmatch(p, card.name) for p in PATTERNS)], PATTERNS)


TOKENIZERS: Registry[Entry] = Registry("tokenizer", entry_point_group="evalkit.tokenizers", table=_table)


def register(
    name: str, *, weights: str | None = None, config: Any = None, aliases: tuple[str, ...] = ()
) -> Callable[[C], C]:
    """Class decorator: `name` loads this class with `config`, from the weight file `weights` of the manifest.

    Apply it once for each checkpoint of a family; the family's card names the module. In a package or script of yours
    `weights` is the usual name of your own file, which `--weights` or `EVALKIT_WEIGHTS` finds. A tokenizer without
    weights (`weights=None`) is constructed as `cls(name, config)`.
    """

    def add(cls: C) -> C:
        TOKENIZERS.add(name, Entry(name, cls, config, weights), aliases)
        return cls

    return add


def tokenizer_name(name: str) -> str:
    """The registered name behind an alias; raises `EvalkitError` for unknown names and for tokenizers that only encode."""
    base, side = name_and_side(name)
    card = tokenizer_cards().get(base)
    if card is not None and card.encode_only:
        raise EvalkitError(
            f"{name} makes codes but has no decoder of its own, so no image can be compared: {card.note} "
            "Give a tokenizer that decodes; list them with: evalkit ls tokenizers"
        )
    return _with_side(TOKENIZERS.canonical(base), side)


def tokenizer_alias(name: str) -> str:
    """The registered name behind an alias, and any other name as it is."""
    base, side = name_and_side(name)
    try:
        return _with_side(TOKENIZERS.canonical(base), side)
    except EvalkitError:
        return name


def name_and_side(name: str) -> tuple[str, int | None]:
    """A tokenizer's name, and the side of its images where `NAME:SIDE` asks for another than it was made for.

    >>> name_and_side("world-vq:128"), name_and_side("world-vq")
    (('world-vq', 128), ('world-vq', None))
    """
    base, _, side = name.rpartition(":")
    return (base, int(side)) if base and side.isdecimal() and side.isascii() else (name, None)


def _with_side(name: str, side: int | None) -> str:
    return name if side is None else f"{name}:{side}"


def _resized(model: Tokenizer, side: int | None) -> Tokenizer:
    """The model for images of another side; its name says so, for other codes come from the same weights."""
    if side is not None:
        if not 0 < side <= MOST_SIDE:
            raise EvalkitError(
                f"a side lies from 1 to {MOST_SIDE} px; {side} given. Type {model.name}:128, for example"
            )
        model.check_size(side, side)
        model.name, model.native_size = _with_side(model.name, side), side
    return model


def load_tokenizer(
    name: str,
    weights: str | Path | None = None,
    device: str = "auto",
    dtype: str = "float32",
) -> Tokenizer:
    """The tokenizer called `name`, ready to encode and decode; `NAME:SIDE` is one for images of another side.

    `weights`: a file in the official layout (a folder for diffusers models), or a folder to look in; by default
    `EVALKIT_WEIGHTS`, the hub cache and the hub are searched. `device`: auto, cpu, cuda, cuda:1, mps.
    `dtype`: float32, bfloat16 or float16 (autocast; the nearest-code search stays in float32).

    Raises `EvalkitError` for an unknown name and `WeightsError` where the file is missing, broken or another model's.

    >>> load_tokenizer("jpeg-lm").name
    'jpeg-lm'
    """
    base, side = name_and_side(tokenizer_name(name))
    entry = TOKENIZERS.get(base)
    family = _network_family(entry)
    if family is None:
        return _resized(_without_weights(entry, weights), side)
    return _resized(_load_network(entry, family, weights, pick_device(device), pick_dtype(dtype)), side)


def describe_tokenizer(name: str, weights: str | Path | None = None) -> Tokenizer:
    """The tokenizer called `name` without its weights: sizes, vocabulary, and the sha256 of its weight file.

    It cannot encode or decode, and takes no memory: its network lies on the device "meta". Raises as `load_tokenizer`.
    """
    base, side = name_and_side(tokenizer_name(name))
    entry = TOKENIZERS.get(base)
    family = _network_family(entry)
    if family is None:
        return _resized(_without_weights(entry, weights), side)
    import torch

    from evalkit.weights.find import find_weights
    from evalkit.weights.layout import on_paper
    from evalkit.weights.reading import file_sha256

    path, nowhere = find_weights(entry.weights or "", weights), torch.device("meta")
    with on_paper():
        network = family.outline(entry.name, entry.config, path)
    model = family(entry.name, entry.config, network, nowhere, torch.float32)
    model.weights_sha256, model.weights_source = file_sha256(path), str(path)
    return _resized(model, side)


def _network_family(entry: Entry) -> type[NetworkTokenizer] | None:
    """The class of a tokenizer that is a network; torch is not loaded for another."""
    if entry.weights is None:
        return None
    from evalkit.tokenizers.network import NetworkTokenizer

    return entry.cls if issubclass(entry.cls, NetworkTokenizer) else None


def _without_weights(entry: Entry, weights: str | Path | None) -> Tokenizer:
    if weights is not None and entry.weights is None:
        raise EvalkitError(f"{entry.name} has no weights; leave out weights={str(weights)!r}")
    return entry.cls(entry.name, entry.config)  # type: ignore[call-arg]


def _load_network(
    entry: Entry, cls: type[NetworkTokenizer], weights: str | Path | None, device: torch.device, dtype: torch.dtype
) -> Tokenizer:
    from evalkit.weights.find import find_weights
    from evalkit.weights.reading import file_sha256

    path = find_weights(entry.weights or "", weights)
    network = cls.load_network(entry.name, entry.config, path)
    model = cls(entry.name, entry.config, network, device, dtype)
    model.weights_sha256, model.weights_source = file_sha256(path), str(path)
    return model
