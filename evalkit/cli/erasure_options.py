"""What the commands of `evalkit erasure` share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from evalkit.generators.base import Generator


class PairsFile(click.Path):
    """A file of pairs, or the folder of `evalkit erasure pairs`, which stands for its pairs.jsonl."""

    name = "FILE|FOLDER"

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The file."""
        found = Path(str(super().convert(value, param, ctx)))
        return found / "pairs.jsonl" if found.is_dir() else found


@dataclass(frozen=True)
class Base:
    """A base generator as it was typed."""

    name: str
    weights: tuple[str, ...]
    device: str
    dtype: str

    @property
    def paths(self) -> tuple[str | None, str | None]:
        """Where its weights and its tokenizer's lie, where that was said."""
        from evalkit.generators.registry import GENERATORS
        from evalkit.tasks.generate.weights import model_weights

        found = model_weights(self.weights, self.name)
        return found.get(self.name), found.get(GENERATORS.get(self.name).tokenizer or "")

    def load(self) -> Generator:
        """The generator."""
        from evalkit.generators.registry import load_generator

        weights, tokenizer = self.paths
        return load_generator(self.name, weights, self.device, self.dtype, tokenizer_weights=tokenizer)
