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

    Apply it once for each checkpoint of a family; the family's card names the module. A tokenizer without weights
    (`weights=None`) is constructed as `cls(name, config)`.
    """

    def add(cls: C) -> C:
        TOKENIZERS.add(name, Entry(name, cls, config, weights), aliases)
        return cls

    return add


def tokenizer_name(name: str) -> str:
    """The registered name behind an alias; raises `EvalkitError` for unknown names and for tokenizers that only encode."""
    card = tokenizer_cards().get(name)
    if card is not None and card.encode_only:
        raise EvalkitError(
            f"{name} makes codes but has no decoder of its own, so no image can be compared: {card.note} "
            "Give a tokenizer that decodes; list them with: evalkit ls tokenizers"
        )
    return TOKENIZERS.canonical(name)


def tokenizer_alias(name: str) -> str:
    """The registered name behind an alias, and any other name as it is."""
    try:
        return TOKENIZERS.canonical(name)
    except EvalkitError:
        return name


def load_tokenizer(
    name: str,
    weights: str | Path | None = None,
    device: str = "auto",
    dtype: str = "float32",
) -> Tokenizer:
    """The tokenizer called `name`, ready to encode and decode.

    `weights`: a file in the official layout (a folder for diffusers models), or a folder to look in; by default
    `EVALKIT_WEIGHTS`, the hub cache and the hub are searched. `device`: auto, cpu, cuda, cuda:1, mps.
    `dtype`: float32, bfloat16 or float16 (autocast; the nearest-code search stays in float32).

    Raises `EvalkitError` for an unknown name and `WeightsError` where the file is missing, broken or another model's.

    >>> load_tokenizer("jpeg-lm").name
    'jpeg-lm'
    """
    entry = TOKENIZERS.get(tokenizer_name(name))
    family = _network_family(entry)
    if family is None:
        return _without_weights(entry, weights)
    return _load_network(entry, family, weights, pick_device(device), pick_dtype(dtype))


def describe_tokenizer(name: str, weights: str | Path | None = None) -> Tokenizer:
    """The tokenizer called `name` without its weights: sizes, vocabulary, and the sha256 of its weight file.

    It cannot encode or decode, and takes no memory: its network lies on the device "meta". Raises as `load_tokenizer`.
    """
    entry = TOKENIZERS.get(tokenizer_name(name))
    family = _network_family(entry)
    if family is None:
        return _without_weights(entry, weights)
    import torch

    from evalkit.weights.find import find_weights
    from evalkit.weights.layout import on_paper
    from evalkit.weights.reading import file_sha256

    path, nowhere = find_weights(entry.weights or "", weights), torch.device("meta")
    with on_paper():
        network = family.outline(entry.name, entry.config, path)
    model = family(entry.name, entry.config, network, nowhere, torch.float32)
    model.weights_sha256, model.weights_source = file_sha256(path), str(path)
    return model


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
