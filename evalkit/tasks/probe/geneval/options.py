"""The numbers in GenEval's rules, with the official values as defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from evalkit.errors import EvalkitError

COUNTING = "counting"


@dataclass(frozen=True)
class RuleOptions:
    """`threshold`, `counting_threshold`: a detection's score must be above (the second one in the counting task).

    `max_objects`: kept of a class, by score. `max_overlap`: intersection over union from which the weaker of two
    detections of a class is dropped; 1 keeps all. `position_threshold`: share of both boxes' sizes that an offset
    must exceed. Source: djghosh13/geneval, evaluation/evaluate_images.py.
    """

    threshold: float = 0.3
    counting_threshold: float = 0.9
    max_objects: int = 16
    max_overlap: float = 1.0
    position_threshold: float = 0.1

    def __post_init__(self) -> None:
        """Raise `EvalkitError` for a value outside of its range."""
        for name, low, high in (
            ("threshold", 0, 1),
            ("counting_threshold", 0, 1),
            ("max_objects", 1, math.inf),
            ("max_overlap", 0, 1),
            ("position_threshold", 0, math.inf),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise EvalkitError(f"{name} is {value!r}. Give a number from {low} to {high}")
        if self.max_objects != int(self.max_objects):
            raise EvalkitError(f"max_objects is {self.max_objects!r}. Give a whole number")

    @property
    def is_official(self) -> bool:
        """Whether every number is the official one."""
        return self == RuleOptions()

    @property
    def changed(self) -> dict[str, float]:
        """The numbers that are not official, by name; they belong beside every score."""
        return {name: value for name, value in asdict(self).items() if value != getattr(RuleOptions, name)}

    def above(self, tag: str) -> float:
        """The threshold of a task."""
        return self.counting_threshold if tag == COUNTING else self.threshold


def options_of(values: Mapping[str, Any], base: RuleOptions | None = None) -> RuleOptions:
    """`base` (the official numbers) with `values` in place. Raises `EvalkitError` for unknown names and odd values."""
    known = {field.name for field in fields(RuleOptions)}
    odd = sorted(set(values) - known)
    if odd:
        raise EvalkitError(f"GenEval's rules have no option {odd[0]!r}. Give one of {', '.join(sorted(known))}")
    return RuleOptions(**{**asdict(base or RuleOptions()), **values})
