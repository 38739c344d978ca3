"""What a probe is: prompts, evidence of images, rules on the evidence, a summary of the rows; each by itself."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from evalkit.encoders.detectors.base import Detector
from evalkit.encoders.zero_shot import ZeroShot
from evalkit.images.sample import Pixels
from evalkit.registry import Registry
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
    def samples(self) -> int:
        """Images of each prompt that its score is defined on."""

    def prompts(self) -> Sequence[SuitePrompt]:
        """The prompts in their order."""

    def evidence(self, images: Iterable[ProbeImage], encoders: Encoders) -> Iterator[ImageEvidence]:
        """What is in each image, in order; the only stage that needs networks."""

    def rules(self, evidence: Evidence) -> list[ProbeRow]:
        """What the rules say of each image; pure and quick, so that other numbers in the rules need no network."""

    def summary(self, rows: Sequence[ProbeRow]) -> tuple[ProbeScore, ...]:
        """The scores; pure, so that `verify` gets them from the rows alone."""


_MODULES = ("evalkit.tasks.probe.geneval.suite",)


def _import_suites() -> None:
    for module in _MODULES:
        importlib.import_module(module)


SUITES: Registry[Callable[[], Suite]] = Registry("probe", _import_suites, "evalkit.probes")
