"""Classifier-free guidance: every family's form and schedule, in its own numbers and in one canonical scale.

Canonical: guided = uncond + s (cond - uncond), so s = 1 is no guidance. VAR writes (1 + t) cond - t uncond with t = s - 1.
Which number a paper calls "cfg" differs from family to family; `form` says whose it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from torch import Tensor

from evalkit.errors import EvalkitError

Form = Literal["none", "llamagen", "var", "flexvar", "d-ar", "mar", "xar", "constant"]
_SCHEDULES_OF: dict[str, str] = {
    "var": "linear",
    "flexvar": "linear",
    "d-ar": "linear",
    "mar": "linear",
    "xar": "linear",
}

# share of the full strength at `progress` in [0, 1]
SCHEDULES: dict[str, Callable[[float], float]] = {"constant": lambda p: 1.0, "linear": lambda p: p}


@dataclass(frozen=True)
class Guidance:
    """How strongly a condition is enforced.

    `scale` in the family's own numbers: 0 is off for `var` and `flexvar`, 1 for all others. `start`: the scale at the
    first step (`d-ar`). `schedule`: a key of `SCHEDULES`; by default the family's own. `interval`: guidance stops after
    this many decoded tokens (`llamagen`).

    >>> Guidance("var", 1.5).at(1.0), Guidance("llamagen", 2.0).at(0.3)
    (2.5, 2.0)
    """

    form: Form = "none"
    scale: float = 1.0
    start: float | None = None
    schedule: str | None = None
    interval: int | None = None

    def __post_init__(self) -> None:
        if self.schedule is not None and self.schedule not in SCHEDULES:
            raise EvalkitError(
                f"there is no guidance schedule called {self.schedule!r}; known: {', '.join(sorted(SCHEDULES))}"
            )

    @property
    def off(self) -> bool:
        """Whether no unconditional pass is needed at all."""
        if self.form == "none":
            return True
        neutral = 0.0 if self.form in ("var", "flexvar") else 1.0
        return self.scale == neutral and self.start in (None, neutral)

    def at(self, progress: float) -> float:
        """Canonical scale at `progress` in [0, 1]: step i of n is i / (n - 1); for `mar` the share of known tokens."""
        if self.off:
            return 1.0
        share = SCHEDULES[self.schedule or _SCHEDULES_OF.get(self.form, "constant")](progress)
        if self.form in ("var", "flexvar"):
            return 1.0 + self.scale * share
        low = 1.0 if self.start is None else self.start
        return low + (self.scale - low) * share

    def combine(self, cond: Tensor, uncond: Tensor, progress: float) -> Tensor:
        """Guided logits (or noise predictions), by the family's own expression."""
        s = self.at(progress)
        if self.form in ("var", "flexvar"):
            return (1 + (s - 1)) * cond - (s - 1) * uncond
        return uncond + s * (cond - uncond)

    def as_dict(self) -> dict[str, Any]:
        """What a record keeps: the native numbers and the canonical scale at the start and at the end."""
        return {**asdict(self), "canonical": [self.at(0.0), self.at(1.0)]}
