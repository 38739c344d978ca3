"""What a campaign is: its models, its suites, its seeds, who judges, and what that may cost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.judges.base import Judge
from evalkit.text import listed

PLACES = ("{suite}", "{seed}")  # filled in, in the path of images that are there
SETTINGS = ("guidance", "temperature", "top_k", "top_p", "steps")


@dataclass(frozen=True)
class Contestant:
    """A model of the campaign under its `label`: a generator that makes the images, or `images` that are there.

    `images`: a run, or a folder in the suite's own layout; `{suite}` and `{seed}` in it are filled in. `settings`: of the
    sampler, by the names of `evalkit generate`.
    """

    label: str
    name: str | None = None
    images: str | None = None
    weights: tuple[str, ...] = ()
    dtype: str = "auto"
    timeout: float | None = None
    settings: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise `EvalkitError` where it is both or neither, or the path has a place that nothing fills."""
        if (self.name is None) == (self.images is None):
            raise EvalkitError(f"the model {self.label!r} needs name or images, and not both. Mend its [[models]]")
        if self.images is not None and self.settings:
            raise EvalkitError(f"{self.label!r} has images already, so {next(iter(self.settings))} changes nothing")
        unknown = set(re.findall(r"\{[^{}]*\}", self.images or "")) - set(PLACES)
        if unknown:
            raise EvalkitError(
                f"{self.label!r}: nothing fills {min(unknown)!r} in its images. The places are {listed(PLACES)}"
            )


@dataclass(frozen=True)
class JudgeUse:
    """Who judges (by name, or itself), what a million of its prompt and reply tokens cost, how often it is asked at most,
    and where replies are kept.
    """

    name: str | Judge
    prices: tuple[float, float] = (0.0, 0.0)
    tries: int | None = None
    replies: Path | None = None


@dataclass(frozen=True)
class SuiteUse:
    """A suite of the campaign, with what `evalkit probe` takes for it; None is the suite's own or the campaign's."""

    name: str
    samples: int | None = None
    limit: int | None = None
    detector: str | None = None
    policy: str | None = None
    data: Path | None = None
    sources: Path | None = None
    judge: JudgeUse | None = None
    weights: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise `EvalkitError` where nothing is left to look at."""
        for what, number in (("samples", self.samples), ("limit", self.limit)):
            if number is not None and number < 1:
                raise EvalkitError(f"the suite {self.name!r} has {what} = {number}. Give 1 or more")


@dataclass(frozen=True)
class Campaign:
    """Every model on every suite for every seed. `out`: the folder of its runs. `budget`: for all judges together, in the
    currency of the prices. `pilot`: prompts of each judged suite that are asked about first, for the estimate.
    """

    name: str
    out: Path
    models: tuple[Contestant, ...]
    suites: tuple[SuiteUse, ...]
    seeds: tuple[int, ...] = (0,)
    budget: float | None = None
    pilot: int = 8

    def __post_init__(self) -> None:
        """Raise `EvalkitError` where models or suites are missing or two have one name."""
        for what, names in (("models", [m.label for m in self.models]), ("suites", [s.name for s in self.suites])):
            if not names:
                raise EvalkitError(f"the campaign {self.name} has no {what}. Give it a [[{what}]]")
            twice = sorted({each for each in names if names.count(each) > 1})
            if twice:
                raise EvalkitError(f"two {what} are called {twice[0]!r}. Give each its own label or name")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise EvalkitError("seeds are different numbers from 0. Mend seeds = […]")
        if self.pilot < 1:
            raise EvalkitError("the pilot asks about one prompt at least. Give pilot = 1 or more")
