"""What is done to a loaded generator before it makes images, such as adding a watermark's logits processor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evalkit.generators.base import Generator
from evalkit.registry import Registry

Prepare = Callable[[Generator, Mapping[str, Any], Mapping[str, Any]], None]


@dataclass(frozen=True)
class Preparation:
    """A registered preparation: `said` decides images and is recorded, `here` names keys and objects of this process.

    `generator`: the model where it is loaded already, so that this process does not load it twice.
    """

    name: str
    said: Mapping[str, Any]
    here: Mapping[str, Any] = field(default_factory=dict)
    generator: Generator | None = None


def _import_preparations() -> None:
    import importlib

    importlib.import_module("evalkit.watermark.embed.generation")


PREPARATIONS: Registry[Prepare] = Registry("preparation", _import_preparations)


def prepare(generator: Generator, processors: list[dict[str, Any]], here: Mapping[str, Any]) -> None:
    """Do what a spec's processors ask for: those that name a preparation; others came with the generator."""
    for said in processors:
        if "prepare" in said:
            PREPARATIONS.get(said["prepare"])(generator, said, here)
