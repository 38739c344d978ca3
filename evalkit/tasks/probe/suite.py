"""What a probe is: prompts, evidence of images, rules on the evidence, a summary of the rows; each by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from evalkit.encoders.detectors.base import Detector
from evalkit.encoders.zero_shot import ZeroShot
from evalkit.images.sample import Pixels
from evalkit.registry import Registry, Table
from evalkit.tasks.probe.evidence.record import Evidence, ImageEvidence
from evalkit.tasks.probe.rows import ProbeRow, ProbeScore


class SuitePrompt(Protocol):
    """A prompt of a suite: its id, its text, and the line of the suite's own file."""

    @property
    def id(self) -> str:
        """Unique in the suite."""

    @property
    def prompt(self) -> str:
        """What the generator is told."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The line of the suite's own file."""


@dataclass(frozen=True)
class ProbeImage:
    """An image to look at: its id, the prompt it was made for, and which of the prompt's images it is."""

    image: str
    prompt: str
    sample: int
    pixels: Pixels


@dataclass(frozen=True)
class Encoders:
    """The networks that evidence may need; a suite says which are missing."""

    detector: Detector | None = None
    colors: ZeroShot | None = None


class Suite(Protocol):
    """One benchmark."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def title(self) -> str:
        """What it measures, in a few words."""

    @property
    def samples(self) -> int:
        """Images of each prompt that its score is defined on."""

    @property
    def detector(self) -> str | None:
        """The detector that is taken where none is named; None where the suite needs none."""

    @property
    def changed(self) -> Mapping[str, float]:
        """The numbers in its rules that are not its own, by name."""

    def configured(self, values: Mapping[str, float]) -> Suite:
        """The same suite with these numbers in its rules; raises `EvalkitError` for those that it does not have."""

    def prompts(self) -> Sequence[SuitePrompt]:
        """The prompts in their order."""

    def evidence(self, images: Iterable[ProbeImage], encoders: Encoders) -> Iterator[ImageEvidence]:
        """What is in each image, in order; the only stage that needs networks."""

    def facts(self, encoders: Encoders) -> dict[str, Any]:
        """The facts of evidence that is made with these networks."""

    def score_name(self, facts: Mapping[str, Any]) -> str:
        """What scores of evidence with these facts are called."""

    def rules(self, evidence: Evidence) -> list[ProbeRow]:
        """What the rules say of each image; pure and quick, so that other numbers in the rules need no network."""

    def summary(self, rows: Sequence[ProbeRow]) -> tuple[ProbeScore, ...]:
        """The scores; pure, so that `verify` gets them from the rows alone."""

    def files(self, rows: Sequence[ProbeRow]) -> Mapping[str, bytes]:
        """The benchmark's own result files, by name."""


_GENEVAL = "evalkit.tasks.probe.geneval.suite"
SUITES: Registry[Callable[[], Suite]] = Registry(
    "probe", entry_point_group="evalkit.probes", table=Table({"geneval": _GENEVAL, "world": _GENEVAL})
)
