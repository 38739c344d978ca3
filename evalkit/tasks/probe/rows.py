"""What a probe says of one image, and the scores that it makes of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evalkit.metrics.base import Estimate
from evalkit.stats.intervals import mean_interval


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """One image's `score`, None where it is lost; `state` is "answered" or how it was lost.

    `reason`: why the image is wrong, in the benchmark's words, with the `kinds` of its parts. `values`: parts of the
    score. `details`: what the benchmark's own result file holds besides.
    """

    image: str
    prompt: str
    sample: int
    task: str
    score: float | None
    state: str = "answered"
    reason: str = ""
    kinds: tuple[str, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ProbeScore:
    """One number of a probe: its `name`, the `task` it is of (empty: all), and the estimate on the scale `low` to `high`.

    `high` None: the scale has no upper end. `bounds`: the value with all lost items worst and best, where items may be
    lost. `note`: what a reader must know. `part`: which of the rows' `values` it is the mean of (empty: their `score`; "-":
    none of them).
    """

    name: str
    task: str
    estimate: Estimate
    low: float = 0.0
    high: float | None = 1.0
    bounds: tuple[float, float] | None = None
    note: str = ""
    part: str = ""
    better: str = "higher"


def task_estimates(rows: Iterable[ProbeRow]) -> dict[str, Estimate]:
    """The mean score of each task in the order in which tasks appear; whole prompts are drawn, lost images left out."""
    groups: dict[str, list[ProbeRow]] = {}
    for row in rows:
        groups.setdefault(row.task, []).append(row)
    return {task: mean_estimate(group) for task, group in groups.items()}


def mean_estimate(rows: Iterable[ProbeRow]) -> Estimate:
    """The mean score over images, with an interval over prompts; lost images are left out."""
    scored = [(row.score, row.prompt) for row in rows if row.score is not None]
    return mean_interval([score for score, _ in scored], clusters=[prompt for _, prompt in scored], range=(0.0, 1.0))
