"""What a verification found: levels, failures with the file's name, and what would raise the level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from evalkit.jobs.checks import Failure

Status = Literal["passed", "failed", "not reached", "not needed"]
NAMES = ("schema", "hashes", "signature", "recomputed", "re-scored", "regenerated")


@dataclass(frozen=True)
class Step:
    """One level's outcome: `detail` says what was done, `hint` what would raise the level; `not needed` counts as passed."""

    level: int
    status: Status
    detail: str
    failures: tuple[Failure, ...] = ()
    hint: str | None = None

    @property
    def name(self) -> str:
        """The level's name."""
        return NAMES[self.level]


@dataclass(frozen=True)
class Verdict:
    """All levels of one run, and of the parents that were followed."""

    run: str
    steps: tuple[Step, ...]
    parents: tuple[Verdict, ...] = ()
    lost: tuple[Failure, ...] = ()  # parents that were looked for and are not there, or are others
    seed: int | None = None  # by which levels 4 and 5 drew

    @property
    def level(self) -> int:
        """The highest level below which nothing failed or is open; -1 for none."""
        reached = -1
        for step in self.steps:
            if step.status in ("failed", "not reached"):
                break
            if step.status == "passed":
                reached = step.level
        return reached

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Everything that is wrong, parents included."""
        above = tuple(Failure(f"{each.run}/{f.file}", f.reason) for each in self.parents for f in each.failures)
        return self.own_failures + above

    @property
    def own_failures(self) -> tuple[Failure, ...]:
        """What is wrong with this run, and which parents are missing; each once."""
        return tuple(dict.fromkeys((*(failure for step in self.steps for failure in step.failures), *self.lost)))

    @property
    def hint(self) -> str | None:
        """What would raise the level."""
        return next((step.hint for step in self.steps if step.status == "not reached" and step.hint), None)

    def as_dict(self) -> Mapping[str, Any]:
        """Plain data for machines."""
        return {
            "run": self.run,
            "level": self.level,
            "verified": not self.failures,
            "levels": [
                {"name": step.name, **{key: value for key, value in asdict(step).items() if key != "failures"}}
                for step in self.steps
            ],
            "failures": [asdict(failure) for failure in self.failures],
            "raise": self.hint,
            "seed": self.seed,
            "parents": [parent.as_dict() for parent in self.parents],
        }
