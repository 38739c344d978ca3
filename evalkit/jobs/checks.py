"""What a task adds to verification: its results recomputed, its images scored again, its samples made again.

A task registers its `Checks` under the name that its records carry as `task`.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from evalkit.registry import Registry, Table
from evalkit.runs.store import Run


@dataclass(frozen=True)
class Failure:
    """What is wrong with which file."""

    file: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """`checked` things agree or are among `failures`; `open` says why (some) could not be checked at all.

    `of`: how many there are, of which those that were looked at were drawn.
    """

    checked: int
    failures: tuple[Failure, ...] = ()
    open: str | None = None
    of: int | None = None


def fresh_seed() -> int:
    """A seed that nobody could foresee, so that no run can be made to pass an audit."""
    return secrets.randbits(63)


@dataclass(frozen=True)
class How:
    """How images are made or scored again: the device, weights as of `--weights`, the data where it lies elsewhere."""

    device: str = "auto"
    weights: tuple[str, ...] = ()
    data: str | None = None
    seed: int = field(default_factory=fresh_seed)  # of the choice of samples


class Checks(ABC):
    """A task's own checks; `rescore` and `regenerate` choose `count` samples by `how.seed`.

    `scores`: whether the task scores images that it keeps; `makes`: whether it makes samples. Where it does not, level
    4 or 5 is not needed.
    """

    scores = True
    makes = True

    @abstractmethod
    def recompute(self, run: Run, how: How) -> Outcome:
        """results.json against what rows and statistics give."""

    def rescore(self, run: Run, count: int, how: How) -> Outcome:
        """Kept images against their rows; asked of tasks that score some."""
        return Outcome(0, open="this task scores no image")

    def regenerate(self, run: Run, count: int, how: How) -> Outcome:
        """Samples made again from what the record says, against their rows; asked of tasks that make some."""
        return Outcome(0, open="this task makes no samples")


TABLE = Table(
    {
        "leaderboard": "evalkit.leaderboard.checks",
    }
)
CHECKS: Registry[Checks] = Registry("task", entry_point_group="evalkit.checks", table=TABLE)


def chosen(total: int, count: int, seed: int) -> Sequence[int]:
    """`count` of the numbers below `total` (all where there are fewer), sorted, by `seed`."""
    picked = np.random.default_rng(seed).permutation(total)[:count]
    return sorted(int(each) for each in picked)
