"""Names of generators, and `load_generator`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from evalkit.device import pick_device, pick_dtype
from evalkit.errors import EvalkitError
from evalkit.generators.base import Generator
from evalkit.registry import Registry, Table
from evalkit.tokenizers.cards import generator_cards, table_of


@dataclass(frozen=True)
class Source:
    """What a runner is built from. `weights`, `tokenizer_weights`: as given by the user, or None to search for them."""

    name: str
    config: Any
    weights_key: str | None
    tokenizer: str | None
    weights: str | Path | None
    tokenizer_weights: str | Path | None
    device: torch.device
    dtype: torch.dtype


@dataclass(frozen=True)
class Entry:
    """A registered generator: its class, configuration, weight file in the manifest, and tokenizer."""

    name: str
    cls: type[Generator]
    config: Any
    weights: str | None
    tokenizer: str | None


C = TypeVar("C", bound=type[Generator])


PATTERNS = {
    r"http:(.+)": "evalkit.generators.http:entry",
    r"folder:(.*)": "evalkit.generators.existing:entry",
    r"(?s)command:(.*)": "evalkit.generators.command:entry",
    r"diffusers:(.+)": "evalkit.generators.diffusers_pipelines:entry",
}


def _table() -> Table:
    return table_of(generator_cards().values(), PATTERNS)


GENERATORS: Registry[Entry] = Registry("generator", entry_point_group="evalkit.generators", table=_table)


def register(
    name: str,
    *,
    weights: str | None = None,
    config: Any = None,
    tokenizer: str | None = None,
    aliases: tuple[str, ...] = (),
) -> Callable[[C], C]:
    """Class decorator: `name` is this runner with `config`, the weight file `weights` and the tokenizer `tokenizer`.

    The class has `load(source: Source) -> Generator`. Apply it once for each checkpoint of a family; its card names the module.
    """

    def add(cls: C) -> C:
        GENERATORS.add(name, Entry(name, cls, config, weights, tokenizer), aliases)
        return cls

    return add


def load_generator(
    name: str,
    weights: str | Path | None = None,
    device: str = "auto",
    dtype: str = "auto",
    *,
    tokenizer_weights: str | Path | None = None,
) -> Generator:
    """The generator called `name`, ready to make images.

    `weights`: a file in the official layout, or a folder that holds the official files (the tokenizer's too); by default
    `EVALKIT_WEIGHTS`, the caches and the hub are searched. `dtype`: float32, bfloat16, float16, or auto (bfloat16 on a
    GPU that has it, else float32). Raises `EvalkitError` for an unknown name and `WeightsError` for unusable weights.

    >>> load_generator("world-ar", device="cpu").name
    'world-ar'
    """
    entry = GENERATORS.get(name)
    place = pick_device(device)
    precision = pick_dtype(precision_on(device) if dtype == "auto" else dtype)
    source = Source(
        entry.name, entry.config, entry.weights, entry.tokenizer, weights, tokenizer_weights, place, precision
    )
    load = getattr(entry.cls, "load", None)
    if load is None:
        raise EvalkitError(f"the generator {name} was registered by a class that has no `load`; see docs/runners.md")
    made: Generator = load(source)
    made.rows = made.rows_that_fit(made.device) if made.row_bytes() else made.rows
    return made


def precision_on(device: str) -> str:
    """What the precision `auto` is on a device: bfloat16 on a GPU that has it, else float32."""
    return "bfloat16" if pick_device(device).type == "cuda" and torch.cuda.is_bf16_supported() else "float32"


def describe_generator(name: str, weights: str | Path | None = None, dtype: str = "float32") -> Generator:
    """The generator called `name` without its weights: conditions, default sampler, and the sha256 of its weight file.

    It makes no image. One that a library builds from its folder is loaded; programs and endpoints are not started. Raises
    as `load_generator`.
    """
    entry = GENERATORS.get(name)
    build = getattr(entry.cls, "build", None)
    if entry.weights is None or build is None:
        return load_generator(name, weights, "cpu", dtype)
    from evalkit.weights.find import find_weights
    from evalkit.weights.layout import on_paper
    from evalkit.weights.reading import file_sha256

    nowhere = torch.device("meta")
    source = Source(entry.name, entry.config, entry.weights, entry.tokenizer, weights, None, nowhere, pick_dtype(dtype))
    with on_paper():
        network = build(entry.config)
    made: Generator = entry.cls(source, network)  # type: ignore[call-arg]
    made.weights_sha256 = file_sha256(find_weights(entry.weights, weights))
    return made
