"""The numbers of a training: which parameters change, how often, how far, and what they are held to."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from evalkit.errors import EvalkitError

Gate = Literal["sum", "mean"]


@dataclass(frozen=True)
class Settings:
    """How an eraser is trained.

    `blocks`: the first and the last transformer block that change, None for all; `modules`: a regular expression of the
    parameters within them, by default the attention's. `window`: codes of one update, None for the whole image.
    `threshold`: a window whose loss is not above it is dropped, None keeps all; `gate` compares the sum of the window's
    losses, or their mean. `tail`: whether the codes behind the last whole window make an update. `strength`: of the step
    away from the concept (EAR's eta), of the noise, or of a method's regulariser. `retain`: weight of the retention term,
    on `retain_batch` prompts at each update. `guidance`: at which the base draws. `epsilon`: Adam's; a larger one keeps
    parameters of small gradients where they are. `decay`: whether the learning rate falls to 0 along a line. `batch`:
    pairs of one update. `epochs`: passes over the pairs.
    """

    blocks: tuple[int, int] | None = None
    modules: str = ""
    window: int | None = None
    threshold: float | None = None
    gate: Gate = "mean"
    tail: bool = True
    strength: float = 1.0
    retain: float = 0.0
    retain_batch: int = 16
    guidance: float = 1.0
    learning_rate: float = 1e-4
    epsilon: float = 1e-8
    decay: bool = False
    batch: int = 1
    epochs: int = 1

    def __post_init__(self) -> None:
        """Raise `EvalkitError` for numbers that mean nothing."""
        counts = {"window": self.window, "batch": self.batch, "epochs": self.epochs, "retain_batch": self.retain_batch}
        for name, value in counts.items():
            if value is not None and value < 1:
                raise EvalkitError(f"{name} is {value}. Give a whole number from 1")
        if not self.learning_rate > 0 or not self.epsilon > 0 or not self.retain >= 0:
            raise EvalkitError(
                "the learning rate and epsilon are above 0, the retention's weight is 0 or more. Change them"
            )
        if self.threshold is not None and math.isnan(self.threshold):
            raise EvalkitError("the threshold is no number. Give one, or leave it out")
        if self.blocks is not None and not 0 <= self.blocks[0] <= self.blocks[1]:
            raise EvalkitError(f"the blocks {self.blocks[0]} to {self.blocks[1]} are none. Give them as 0-4")
        try:
            re.compile(self.modules)
        except re.error as error:
            raise EvalkitError(
                f"{self.modules!r} is no regular expression ({error}). Give one such as self_attn"
            ) from None

    def as_dict(self) -> dict[str, Any]:
        """Plain data; an infinite threshold is a word."""
        plain = asdict(self)
        return {**plain, "threshold": str(self.threshold)} if self.threshold in (math.inf, -math.inf) else plain


def parse_blocks(text: str) -> tuple[int, int] | None:
    """The blocks of "A-B" or "A"; None for "all". Raises `EvalkitError` for anything else.

    >>> parse_blocks("0-4"), parse_blocks("2"), parse_blocks("all")
    ((0, 4), (2, 2), None)
    """
    if text == "all":
        return None
    match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", text)
    if match is None:
        raise EvalkitError(f"{text!r} names no blocks. Give A-B from 0, such as 0-4, or all")
    return int(match[1]), int(match[2] or match[1])
