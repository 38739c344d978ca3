"""What a training of an eraser is asked for, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.erasure.pairs.pair import Pair
from evalkit.erasure.training.settings import Settings
from evalkit.errors import EvalkitError

WEIGHTS = "weights.safetensors"  # in the base generator's own layout; a folder `weights` for models of transformers
FACTS = "eraser.json"


@dataclass(frozen=True)
class Training:
    """One eraser to train: `method` on the pairs of one concept.

    `retain`: prompts whose images must stay as they are. `settings` None: the method's own for this generator.
    `weights`: of the base, as `--weights` takes them. `save_every`: pairs between two checkpoints.
    """

    generator: str
    method: str
    pairs: tuple[Pair, ...]
    out: Path
    retain: tuple[str, ...] = ()
    settings: Settings | None = None
    seed: int = 0
    weights: str | None = None
    tokenizer_weights: str | None = None
    device: str = "auto"
    dtype: str = "float32"
    save_every: int = 25

    def __post_init__(self) -> None:
        """Raise `EvalkitError` where there is no pair, there are pairs of several concepts, and for float16."""
        if not self.pairs:
            raise EvalkitError("there is no pair to train with. Make some with: evalkit erasure pairs")
        if len(found := sorted({pair.concept for pair in self.pairs})) > 1:
            raise EvalkitError(f"the pairs are of {len(found)} concepts ({', '.join(found[:4])}). Give those of one")
        if self.dtype == "float16":
            raise EvalkitError("float16 loses the small steps of a training. Give --dtype float32 or bfloat16")
        if self.save_every < 1:
            raise EvalkitError(f"save_every is {self.save_every}. Give a whole number from 1")

    @property
    def concept(self) -> str:
        """What is to be erased."""
        return self.pairs[0].concept


@dataclass(frozen=True)
class Trained:
    """A finished eraser. `weights`: what `--weights NAME=PATH` takes. `facts`: the content of its eraser.json."""

    folder: Path
    weights: Path
    facts: Mapping[str, Any]
