"""What a leaderboard is made of: sealed runs, and their numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.leaderboard.scores import Scores
from evalkit.leaderboard.terms import Terms

ATTESTATION = "attestation.json"


@dataclass(frozen=True)
class Entrant:
    """A sealed run on the board: `name` tells it from the others; `digests` are those of the files that were read."""

    number: int
    name: str
    path: Path
    record: dict[str, Any] = field(repr=False)
    digests: dict[str, str] = field(repr=False)
    signed: bool
    verified: bool = False  # signed by the key that was given, and unchanged

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return folder_name(self.path)

    @property
    def model(self) -> str:
        """evalkit's name of the model."""
        return str(part(self.record, "model").get("name") or self.folder)

    @property
    def task(self) -> str:
        """What the run did."""
        return str(self.record.get("task") or "")


@dataclass(frozen=True)
class Figure:
    """One row of an entrant's results; `value` is None where it is missing, and `reason` then says why."""

    entrant: int
    terms: Terms
    value: float | None
    low: float | None
    high: float | None
    method: str
    unit: str
    better: str
    reason: str | None
    scores: Scores | None = field(repr=False, default=None)


@dataclass(frozen=True)
class Imported:
    """A number that another one measured, read from a run of `evalkit import`: it is shown and never ranked."""

    run: Path
    record: str  # its digest
    model: str
    metric: str
    dataset: str
    protocol: str
    n: int
    value: float
    unit: str
    source: str

    @property
    def setting(self) -> str:
        """On what it was measured, as far as it is said."""
        return f"{self.dataset}, {self.protocol}" + (f", n = {self.n:,}" if self.n else "")


@dataclass(frozen=True)
class Collected:
    """Everything that was read.

    `copies`: runs that are the same as another one, byte by byte, and were left out. `names`: what samples are called
    that have another id in a run, by entrant. `failed`: ids of the samples that a run could not measure, by entrant.
    `imported`: numbers of runs that were not measured here.
    """

    entrants: tuple[Entrant, ...]
    figures: tuple[Figure, ...]
    copies: tuple[Path, ...]
    names: Mapping[int, Mapping[str, str]] = field(default_factory=dict, repr=False)
    failed: Mapping[int, frozenset[str]] = field(default_factory=dict, repr=False)
    imported: tuple[Imported, ...] = ()


def folder_name(path: Path) -> str:
    """The name of a run's folder, as a file can hold it."""
    return str(whole(path.resolve().name))


def whole(value: Any) -> Any:
    """The value with half characters (surrogates), which no file may hold, as escapes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {whole(key): whole(each) for key, each in value.items()}
    return [whole(each) for each in value] if isinstance(value, list) else value


def part(record: dict[str, Any], name: str) -> dict[str, Any]:
    """A table of a record; empty where it is none."""
    found = record.get(name)
    return found if isinstance(found, dict) else {}
