"""What every metric gives: a value with an interval; and the two directions in which values are ranked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Estimate:
    """A measured number: `value` with the `level` interval [`low`, `high`] from `n` samples by `method`.

    `low` and `high` are None where no interval can be stated (one sample, say); `method` then says why.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    method: str
    level: float = 0.95
