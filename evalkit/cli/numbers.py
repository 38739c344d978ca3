"""Numbers on the command line: no NaN, infinity only where it means something, and a largest value for what takes memory."""

from __future__ import annotations

import math
from typing import Any

import click

from evalkit.images.geometry import MAX_SIDE

SIDE = click.IntRange(8, MAX_SIDE)
MOST_BATCH = 4096
BATCH = click.IntRange(1, MOST_BATCH)
THREADS = click.IntRange(1, 256)
SAMPLES = click.IntRange(1, 1_000_000)
STEPS = click.IntRange(1, 100_000)


class Finite(click.FloatRange):
    """A number within bounds that is not NaN, and infinite only with `infinite`."""

    name = "number"

    def __init__(
        self, min: float | None = None, max: float | None = None, *, min_open: bool = False, infinite: bool = False
    ) -> None:
        super().__init__(min=min, max=max, min_open=min_open)
        self.infinite = infinite

    def _describe_range(self) -> str:
        """What --help says of the bounds: nothing where there are none (click would say x<=None)."""
        return "" if self.min is None and self.max is None else super()._describe_range()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number) or (math.isinf(number) and not self.infinite):
            self.fail(f"{value} is no finite number", param, ctx)
        return number


FINITE = Finite()
NUMBER = Finite(infinite=True)
