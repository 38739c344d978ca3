"""Classifier-free guidance: every family's form and schedule, in its own numbers and in one canonical scale.

Canonical: guided = uncond + s (cond - uncond), so s = 1 is no guidance. VAR writes (1 + t) cond - t uncond with t = s - 1.
Which number a paper calls "cfg" differs from family to family; `form` says whose it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from torch import Tensor

from evalkit.errors import EvalkitError

Form = Literal["none", "llamagen", "var", "flexvar", "d-ar", "mar", "hi-mar", "xar", "detailflow", "constant", "passed"]
_SCHEDULES_OF: dict[str, str] = {
    "var": "linear",
    "flexvar": "linear",
    "d-ar": "linear",
    "mar": "linear",
    "hi-mar": "linear",
    "xar": "linear",
}

# share of the full strength at `progress` in [0, 1]; GigaTok's names (autoregressive/models/generate.py)
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda p: 1.0,
    "linear": lambda p: p,
    "linear_re": lambda p: 1.0 - p,
    "triangular": lambda p: 2 * p if p < 0.5 else 2 * (1.0 - p),
    "rectangular": lambda p: float(0.05 <= p <= 1.0),
    "step": lambda p: float(p >= 0.18),
    "cosine": lambda p: 0.5 * (1.0 + math.cos(math.pi * p)),
}
_WINDOWED = ("rectangular", "step")
# GigaTok keeps its scale a little above 1 under these, so that guidance is never off
_LIFTED = ("linear", "linear_re", "triangular", "rectangular", "step")
_LIFT = 1e-4


@dataclass(frozen=True)
class Guidance:
    """How strongly a condition is enforced.

    `scale` in the family's own numbers: 0 is off for `var` and `flexvar`, 1 for all others. `start`: the scale at the
    first step (`d-ar`), or that of the coarse phase (`hi-mar`). `schedule`: a key of `SCHEDULES`; by default the family's
    own. `interval`: guidance stops after this many decoded tokens (`llamagen`). `window`: the progress at which guidance
    is on (`rectangular`, `step`).

    `passed`: a number that a program outside takes in a form of its own; no canonical scale is known of it.

    `llamagen` with a schedule is GigaTok's: the first token is drawn at full scale, whatever the schedule.
    `detailflow` multiplies the scale itself by the schedule, down to below 1 (its `gradual_cfg` is `linear_re`).

    >>> Guidance("var", 1.5).at(1.0), Guidance("llamagen", 2.0).at(0.3)
    (2.5, 2.0)
    """

    form: Form = "none"
    scale: float = 1.0
    start: float | None = None
    schedule: str | None = None
    interval: int | None = None
    window: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.scale):
            raise EvalkitError(f"the guidance scale is a finite number; {self.scale} given")
        if self.schedule is not None and self.schedule not in SCHEDULES:
            raise EvalkitError(
                f"there is no guidance schedule called {self.schedule!r}; known: {', '.join(sorted(SCHEDULES))}"
            )
        if self.window is not None and self.schedule not in _WINDOWED:
            raise EvalkitError(f"window is for the schedules {' and '.join(_WINDOWED)}; {self.schedule!r} given")

    @property
    def off(self) -> bool:
        """Whether no unconditional pass is needed at all."""
        if self.form == "none":
            return True
        neutral = 0.0 if self.form in ("var", "flexvar") else 1.0
        return self.scale == neutral and (self.start in (None, neutral) or self.form == "hi-mar")

    @property
    def coarse(self) -> Guidance:
        """That of the coarse phase (`hi-mar`): up to `start`, where one is given; off where the fine phase's is."""
        if self.form != "hi-mar" or self.start is None or self.off:
            return self
        return replace(self, scale=self.start, start=None)

    def at(self, progress: float) -> float:
        """Canonical scale at `progress` in [0, 1]: step i of n is i / (n - 1).

        For `mar`, and for the phases of `hi-mar`, progress is the share of known tokens.
        """
        if self.off:
            return 1.0
        name = self.schedule or _SCHEDULES_OF.get(self.form, "constant")
        share = SCHEDULES[name](progress)
        if self.window is not None:
            share = float(self.window[0] <= progress <= self.window[1])
        if self.form == "llamagen" and name != "constant":
            return self._gigatok(name, progress, share)
        if self.form in ("var", "flexvar"):
            return 1.0 + self.scale * share
        if self.form == "detailflow":
            return self.scale * share
        low = 1.0 if self.start is None or self.form == "hi-mar" else self.start
        return low + (self.scale - low) * share

    def active(self, decoded: int) -> bool:
        """Whether `interval` has not run out; `decoded` counts as the family does (NAR all tokens, others all but one)."""
        return self.interval is None or self.interval < 0 or decoded <= self.interval

    def _gigatok(self, name: str, progress: float, share: float) -> float:
        if progress <= 0:
            return self.scale
        full = name in _WINDOWED and share == 1.0
        return 1.0 + (self.scale - 1.0) * share + (_LIFT if name in _LIFTED and not full else 0.0)

    def combine(self, cond: Tensor, uncond: Tensor, progress: float) -> Tensor:
        """Guided logits (or noise predictions), by the family's own expression."""
        s = self.at(progress)
        if self.form in ("var", "flexvar"):
            return (1 + (s - 1)) * cond - (s - 1) * uncond
        return uncond + s * (cond - uncond)

    def as_dict(self) -> dict[str, Any]:
        """What a record keeps: the native numbers and the canonical scale at the start and at the end, where it is known."""
        return {**asdict(self), "canonical": None if self.form == "passed" else [self.at(0.0), self.at(1.0)]}
