"""What people saw in GenEval's images: the official annotations, and how far verdicts agree with them.

The files are annotations/annotations_*.csv of djghosh13/geneval (commit af4902f, MIT): 400 images of each of three
generators, five people each. They hold no detections, so they check verdicts and not detectors.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.judges.agreement import agreement, kappa
from evalkit.metrics.base import Estimate
from evalkit.runs.plain import open_plain, read_plain
from evalkit.runs.store import Run
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.probe.evidence.record import prompt_id
from evalkit.tasks.probe.geneval.prompts import GenevalPrompt, geneval_prompts
from evalkit.tasks.probe.rows import ProbeRow

_FIRST = b"HITId,"
_SIDES = {"left of": ("x", "left"), "right of": ("x", "right"), "above": ("y", "above"), "below": ("y", "below")}


@dataclass(frozen=True)
class Annotation:
    """One person's view of one image; `of`: the generator that made it, as its address names it.

    `counts`: how many there are of both objects (5: five or more). `colors`: what was ticked for each. `x` (left, right)
    and `y` (above, below): where the second object lies from the first one.
    """

    prompt: str
    sample: int
    counts: tuple[int, int]
    colors: tuple[frozenset[str], frozenset[str]]
    x: str
    y: str
    of: str = ""

    def right(self, prompt: GenevalPrompt) -> bool:
        """Whether this person saw what the prompt asks for; the exact number in the counting task."""
        for place, clause in enumerate(prompt.include):
            there = self.counts[place]
            if there != clause.count if prompt.exclude else there < clause.count:
                return False
            if clause.color is not None and clause.color not in self.colors[place]:
                return False
            if clause.relation is not None:
                axis, side = _SIDES[clause.relation]
                if (self.x if axis == "x" else self.y) != side:
                    return False
        return True


@dataclass(frozen=True)
class HumanAgreement:
    """`verdicts`: share of images whose verdict is that of most people; `unanimous`: of those on which all agree.
    `people`: share of pairs of people who agree. `beyond_chance`: Cohen's kappa of verdict and majority. `tasks`: the
    first share in each task. `of`: the generators whose images people saw.
    """

    verdicts: Estimate
    unanimous: Estimate
    people: Estimate
    beyond_chance: Estimate
    tasks: Mapping[str, Estimate]
    of: tuple[str, ...]


def is_annotations(path: Path) -> bool:
    """Whether a file begins as GenEval's annotations do."""
    try:
        with open_plain(path) as file:
            return file.read(len(_FIRST)) == _FIRST
    except OSError:
        return False


def run_and_people(run: Run, path: Path) -> HumanAgreement:
    """How far the verdicts of a sealed run of geneval agree with the people of an annotations file.

    Raises `EvalkitError` for a run of another suite, and for one of which no image was annotated.
    """
    if run.record.get("probe", {}).get("suite") != "geneval":
        raise EvalkitError(f"{run.path} is no run of geneval, whose images people annotated. Give one")
    columns = run.samples.select(["image", "prompt_id", "sample", "task", "score"]).to_pylist()
    rows = [ProbeRow(r["image"], r["prompt_id"], r["sample"], r["task"], r["score"]) for r in columns]
    known = {prompt.id: prompt for prompt in geneval_prompts()}
    return agree_with_people([row for row in rows if row.score is not None], read_annotations(path), known)


def read_annotations(path: Path) -> list[Annotation]:
    """The annotations in a file. Raises `EvalkitError` with the number of the line that is not of the official form."""
    try:
        lines = read_plain(path).decode().split("\n")
    except (OSError, UnicodeDecodeError):
        raise EvalkitError(f"{path} cannot be read as text. Give GenEval's annotations_*.csv") from None
    found = []
    head: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            # some free texts hold a line break of their own
            fields = next(csv.reader([line.replace("\r", " ")], strict=True))
            if not head:
                head = fields
                continue
            found.append(_annotation(dict(zip(head, fields, strict=True))))
        except (csv.Error, *DAMAGED):
            raise EvalkitError(
                f"{path.name}, line {number} is no annotation. Give GenEval's annotations_*.csv"
            ) from None
    if not found:
        raise EvalkitError(f"{path.name} holds no annotation. Give GenEval's annotations_*.csv")
    return found


def human_rows(annotations: Iterable[Annotation], prompts: Mapping[str, GenevalPrompt]) -> list[ProbeRow]:
    """What most people say of each image, as rows; `values` hold the share of people who say right."""
    rows = []
    for (prompt, sample), votes in _votes(annotations, prompts).items():
        share = sum(votes) / len(votes)
        image, task = f"{prompt}/{sample}", prompts[prompt].tag
        rows.append(ProbeRow(image, prompt, sample, task, float(share > 0.5), values={"people": share}))
    return rows


def people_agree(annotations: Iterable[Annotation], prompts: Mapping[str, GenevalPrompt]) -> Estimate:
    """The share of pairs of people who agree on an image, with an interval over prompts."""
    votes = _votes(annotations, prompts)
    pairs = [sum(a == b for a, b in combinations(v, 2)) / (len(v) * (len(v) - 1) / 2) for v in votes.values()]
    return mean_interval(pairs, clusters=[prompt for prompt, _ in votes], method="mean", range=(0.0, 1.0))


def agree_with_people(
    rows: Sequence[ProbeRow], annotations: Sequence[Annotation], prompts: Mapping[str, GenevalPrompt]
) -> HumanAgreement:
    """How far verdicts agree with people, on the images that both have. Raises `EvalkitError` where there are none."""
    people = {(row.prompt, row.sample): row for row in human_rows(annotations, prompts)}
    both = [(row, people[row.prompt, row.sample]) for row in rows if (row.prompt, row.sample) in people]
    if not both:
        raise EvalkitError("no image of the results was annotated. Give the results of the images that people saw")
    mine, theirs = ([int(pair[i].score == 1) for pair in both] for i in (0, 1))
    clusters = [row.prompt for row, _ in both]
    sure = [i for i, (_, human) in enumerate(both) if human.values["people"] in (0, 1)]
    tasks = {row.task: [i for i, (each, _) in enumerate(both) if each.task == row.task] for row, _ in both}
    return HumanAgreement(
        tasks={
            task: agreement([mine[i] for i in at], [theirs[i] for i in at], clusters=[clusters[i] for i in at])
            for task, at in tasks.items()
        },
        of=tuple(sorted({each.of for each in annotations if each.of})),
        verdicts=agreement(mine, theirs, clusters=clusters),
        unanimous=agreement([mine[i] for i in sure], [theirs[i] for i in sure], clusters=[clusters[i] for i in sure]),
        people=people_agree(annotations, prompts),
        beyond_chance=kappa(mine, theirs, clusters=clusters),
    )


def _annotation(row: Mapping[str, str]) -> Annotation:
    counts = tuple(int(float(row[f"Answer.task-count-{i}"] or 0)) for i in (0, 1))
    colors = tuple(frozenset(row[f"Answer.task-color-{i}"].split("|")) for i in (0, 1))
    place, sample = int(row["Input.prompt_id"]), int(row["Input.image_id"])
    sides = row["Answer.task-position-x"], row["Answer.task-position-y"]
    of = row.get("Input.image_url", "").rpartition("/images/")[2].partition("/")[0]
    return Annotation(prompt_id(place), sample, (counts[0], counts[1]), (colors[0], colors[1]), *sides, of=of)


def _votes(
    annotations: Iterable[Annotation], prompts: Mapping[str, GenevalPrompt]
) -> dict[tuple[str, int], list[bool]]:
    votes: dict[tuple[str, int], list[bool]] = {}
    for each in annotations:
        if each.prompt not in prompts:
            raise EvalkitError(
                f"an annotation is of prompt {each.prompt}, which the suite does not have. Give GenEval's"
            )
        votes.setdefault((each.prompt, each.sample), []).append(each.right(prompts[each.prompt]))
    return votes
