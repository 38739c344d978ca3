"""What the commands of `evalkit erasure` share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.errors import EvalkitError

if TYPE_CHECKING:
    from evalkit.erasure.check.look import Look
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


def without_model(given: dict[str, Any]) -> None:
    """Refuses what images alone cannot be asked for."""
    asked = next((name for name, value in given.items() if value), None)
    if asked is not None:
        raise EvalkitError(f"{asked} needs the models, and folders hold images alone. Give --base and --erased")


def only_concept(pairs: Path) -> str:
    """The concept of a file whose pairs have one. Raises `EvalkitError` for several."""
    from evalkit.erasure.pairs.pair import read_pairs

    found = sorted({pair.concept for pair in read_pairs(pairs)})
    if len(found) > 1:
        raise EvalkitError(f"{pairs} has pairs of {', '.join(found[:4])}. Give --concept")
    return found[0]


def look_of(
    detector: str | None,
    domain: str | None,
    labels: tuple[str, ...],
    top: int | None,
    threshold: float | None,
    sensitivity: float | None,
    specificity: float | None,
) -> Look:
    """Who looks, and what counts. Raises `EvalkitError` where one of the detector's two rates is missing."""
    from evalkit.erasure.check.look import Look

    if (sensitivity is None) != (specificity is None):
        raise EvalkitError("a correction needs both rates of the detector. Give --sensitivity and --specificity")
    known = None if sensitivity is None or specificity is None else (sensitivity, specificity)
    return Look(detector, labels, top, threshold, known, domain=domain)
