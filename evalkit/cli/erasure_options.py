"""What the commands of `evalkit erasure` share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalkit.generators.base import Generator


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
