"""What a probe is: prompts, evidence of images, rules on the evidence, a summary of the rows; each by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from evalkit.encoders.detectors.base import Detector
from evalkit.encoders.zero_shot import ZeroShot
from evalkit.images.sample import Pixels
from evalkit.prompts.prompt import Prompt, PromptSet
from evalkit.protocols.judged import declared
from evalkit.registry import Registry, Table
from evalkit.tasks.probe.evidence.record import Evidence, ImageEvidence
from evalkit.tasks.probe.judged.seat import Seat
from evalkit.tasks.probe.layout import PlacedImage
from evalkit.tasks.probe.measures import Measures
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
    """An image to look at: its id, the prompt it was made for, and which of the prompt's images it is.

    `file`: where it lies, where it is a file of its own.
    """

    image: str
    prompt: str
    sample: int
    pixels: Pixels
    file: Path | None = None


@dataclass(frozen=True)
class Encoders:
    """The networks and the judge that evidence may need; a suite says which are missing."""

    detector: Detector | None = None
    colors: ZeroShot | None = None
    judge: Seat | None = None
    edits: Measures | None = None


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
    def judge(self) -> str | None:
        """The judge whose scores bear the suite's own name; None where it needs none."""

    @property
    def size(self) -> int | None:
        """Prompts of the whole benchmark; None where its files must say."""

    @property
    def one_size(self) -> bool:
        """Whether images of different sizes cannot be of one model."""

    @property
    def changed(self) -> Mapping[str, float | str]:
        """The numbers and words in its rules that are not its own, by name."""

    def configured(self, values: Mapping[str, float | str]) -> Suite:
        """The same suite with these in its rules; raises `EvalkitError` for those that it does not have."""

    def layout(self, folder: Path) -> Sequence[PlacedImage]:
        """The images of a folder in the benchmark's own layout; raises `EvalkitError` for another one."""

    def absent(self, prompt: str, sample: int) -> ProbeRow:
        """The row of an image that is not there."""

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


_GENEVAL, _JUDGED = "evalkit.tasks.probe.geneval.suite", "evalkit.tasks.probe.judged.suites"
_MODULES = {"geneval": _GENEVAL, "world": _GENEVAL, **dict.fromkeys(declared(), _JUDGED)}
SUITES: Registry[Callable[[], Suite]] = Registry("probe", entry_point_group="evalkit.probes", table=Table(_MODULES))


def prompt_set(suite: Suite) -> PromptSet:
    """The prompts of a suite as a generator takes them."""
    return PromptSet(suite.name, tuple(Prompt(p.id, p.prompt, meta=dict(p.metadata)) for p in suite.prompts()))
