"""`geneval` and `world`: suites whose prompts name objects, judged by a detector and GenEval's rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.tasks.probe.evidence.record import Evidence, ImageEvidence
from evalkit.tasks.probe.geneval.look import look
from evalkit.tasks.probe.geneval.official import read_layout, results_lines
from evalkit.tasks.probe.geneval.options import RuleOptions, options_of
from evalkit.tasks.probe.geneval.prompts import (
    CLASSES,
    COLORS,
    RENAMED,
    SAMPLES,
    GenevalPrompt,
    geneval_prompts,
    prompt_of,
)
from evalkit.tasks.probe.geneval.rules import judge_evidence
from evalkit.tasks.probe.geneval.summary import official_text, summarise
from evalkit.tasks.probe.layout import PlacedImage
from evalkit.tasks.probe.rows import ProbeRow, ProbeScore
from evalkit.tasks.probe.suite import SUITES, Encoders, ProbeImage
from evalkit.world.detector import THRESHOLD
from evalkit.world.judge import NATURAL
from evalkit.world.prompts import SUITE_SIZE, world_prompts
from evalkit.world.vocabulary import CLASS_NAMES, COLOR_NAMES

OFFICIAL_DETECTOR = "mask2former_swin-s-p4-w7-224_lsj_8x2_50e_coco"


@dataclass(frozen=True)
class ObjectSuite:
    """Prompts of GenEval's form with the classes and colours they may name, and the numbers in the rules.

    `official`: the detector whose scores bear the suite's own name; those of another one bear its name as well.
    `detector`: the one that is taken where none is named. `own`: the suite's own numbers in its rules.
    """

    name: str
    title: str
    own_prompts: tuple[GenevalPrompt, ...]
    samples: int
    classes: tuple[str, ...]
    colors: tuple[str, ...]
    official: str
    detector: str
    options: RuleOptions = field(default_factory=RuleOptions)
    own: RuleOptions = field(default_factory=RuleOptions)
    aliases: Mapping[str, str] = field(default_factory=dict)
    judge: str | None = None

    def prompts(self) -> Sequence[GenevalPrompt]:
        """The prompts in their order."""
        return self.own_prompts

    @property
    def size(self) -> int | None:
        """The number of prompts."""
        return len(self.own_prompts)

    @property
    def one_size(self) -> bool:
        """Images of one model have one size."""
        return True

    def layout(self, folder: Path) -> Sequence[PlacedImage]:
        """The images of FOLDER/NNNNN/samples/KKKK.png."""
        return read_layout(folder, self.own_prompts, self.name)

    def absent(self, prompt: str, sample: int) -> ProbeRow:
        """The row of an image that is not there."""
        return ProbeRow("", prompt, sample, self.by_id()[prompt].tag, None, "missing")

    def by_id(self) -> dict[str, GenevalPrompt]:
        """The prompts by their ids."""
        return {prompt.id: prompt for prompt in self.own_prompts}

    def evidence(self, images: Iterable[ProbeImage], encoders: Encoders) -> Iterator[ImageEvidence]:
        """The detections in each image. Raises `EvalkitError` without a detector, or without one for colours."""
        if encoders.detector is None:
            raise EvalkitError(f"the probe {self.name} needs a detector. Give --detector NAME")
        return look(images, self.by_id(), encoders.detector, encoders.colors)

    def facts(self, encoders: Encoders) -> dict[str, Any]:
        """The facts of evidence that is made with these networks."""
        made = {"boxes": encoders.detector, "colors": encoders.colors}
        return {"suite": self.name, **{name: used.facts for name, used in made.items() if used is not None}}

    def rules(self, evidence: Evidence) -> list[ProbeRow]:
        """A verdict on each image. Raises `EvalkitError` for evidence of another suite, or what rules cannot use."""
        suite = evidence.facts.get("suite", self.name)
        if suite != self.name:
            raise EvalkitError(
                f"the evidence is of the probe {suite}, not of {self.name}. Give the evidence of {self.name}"
            )
        return judge_evidence(
            evidence, self.by_id(), self.options, classes=self.classes, colors=self.colors, aliases=self.aliases
        )

    def summary(self, rows: Sequence[ProbeRow]) -> tuple[ProbeScore, ...]:
        """Overall, six tasks, images, prompts; missing images shrink what is counted."""
        return summarise([row for row in rows if row.state != "missing"], self.name)

    def score_name(self, facts: Mapping[str, Any]) -> str:
        """What scores of evidence with these facts are called: the suite, and a detector that is not the official one."""
        boxes = facts.get("boxes")
        used = boxes.get("encoder") if isinstance(boxes, Mapping) else None
        return self.name if used in (None, self.official) else f"{self.name}@{used}"

    def files(self, rows: Sequence[ProbeRow]) -> Mapping[str, bytes]:
        """GenEval's result file and the text that its script prints."""
        lines = results_lines(rows, self.by_id())
        return {"geneval_results.jsonl": "".join(lines).encode(), "geneval_summary.txt": official_text(rows).encode()}

    @property
    def changed(self) -> Mapping[str, float | str]:
        """The numbers in its rules that are not its own, by name."""
        own = asdict(self.own)
        return {name: value for name, value in asdict(self.options).items() if value != own[name]}

    def configured(self, values: Mapping[str, float | str]) -> ObjectSuite:
        """The same suite with these numbers in its rules. Raises `EvalkitError` for unknown names and odd values."""
        if "policy" in values:
            raise EvalkitError(f"{self.name} loses no image to a judge. Leave out --policy")
        return self.with_options(options_of(values, self.options))

    def with_options(self, options: RuleOptions) -> ObjectSuite:
        """The same suite with other numbers in its rules."""
        return replace(self, options=options)


def geneval() -> ObjectSuite:
    """GenEval's 553 prompts, four images each."""
    return ObjectSuite(
        "geneval",
        "objects, counts, colours and positions on COCO's classes (GenEval)",
        geneval_prompts(),
        SAMPLES,
        CLASSES,
        COLORS,
        OFFICIAL_DETECTOR,
        "mask2former-swin-s",
        aliases=dict(RENAMED),
    )


def world() -> ObjectSuite:
    """The reference world's 500 prompts, one image each; its detector has one threshold for all tasks."""
    prompts = tuple(prompt_of(each.metadata, each.id) for each in world_prompts(SUITE_SIZE))
    options = RuleOptions(threshold=THRESHOLD, counting_threshold=THRESHOLD)
    colors = (*COLOR_NAMES, NATURAL)
    title = "the same tasks in the reference world, whose detector knows the truth"
    return ObjectSuite("world", title, prompts, 1, CLASS_NAMES, colors, "world", "world", options, options)


SUITES.add("geneval", geneval)
SUITES.add("world", world)
