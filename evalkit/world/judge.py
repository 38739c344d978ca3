"""GenEval's rules on what the known-truth detector saw: does an image do what its caption demands?

The rules are those of GenEval (arXiv 2310.11513, evaluation/evaluate_images.py): enough things of each class, no more
than asked for in counting, the colour asked for, and relations between box centres with a tolerance of a tenth of both
boxes' sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.metrics import boxes
from evalkit.world.captions import Demand, Wanted
from evalkit.world.detector import Detection, Seen
from evalkit.world.scene import TASKS

NATURAL = "natural"  # the colour of a thing that was not painted
BIGGER = 1.25  # how many times as long the big thing of two must be as the small one
EXACT = ("counting", "mixed_counts")  # tasks in which no more may be there than asked for


@dataclass(frozen=True)
class Verdict:
    """Whether an image is right, and the first reason why not."""

    task: str
    correct: bool
    reason: str = ""


def verdict(demand: Demand, seen: Seen) -> Verdict:
    """Whether what was `seen` meets the `demand`."""
    return Verdict(demand.task, not (reason := _reason(demand, seen)), reason)


def summary(verdicts: Sequence[Verdict]) -> dict[str, tuple[int, int]]:
    """(correct, all) of each task that occurs: in the order of `TASKS`, then others as they come."""
    tasks = dict.fromkeys((*TASKS, *(v.task for v in verdicts)))
    counts = {task: [v.correct for v in verdicts if v.task == task] for task in tasks}
    return {task: (sum(right), len(right)) for task, right in counts.items() if right}


def relations(a: Detection, b: Detection) -> set[str]:
    """The relations in which `a` stands to `b`; none where the boxes are too close to say."""
    return set(boxes.relations(a.box, b.box))


def _reason(demand: Demand, seen: Seen) -> str:
    if reason := next((r for wanted in demand.wanted if (r := _lacks(wanted, demand.task, seen))), ""):
        return reason
    if there := next((name for name in demand.absent if seen.count(name)), ""):
        return f"no {there} wanted, {seen.count(there)} found"
    if demand.style not in (None, seen.style):
        return f"the style {demand.style} wanted, {seen.style} found"
    found = [_of(wanted, seen) for wanted in demand.wanted]
    if demand.relation is not None and not any(demand.relation in relations(a, b) for a in found[0] for b in found[1]):
        return f"{demand.wanted[0].name} is not {demand.relation} {demand.wanted[1].name}"
    return _wrong_size(demand.wanted, found)


def _wrong_size(wanted: Sequence[Wanted], found: Sequence[Sequence[Detection]]) -> str:
    """Why the big thing of two is not `BIGGER` than the small one, by the longest sides of the surest of each."""
    sides = {w.size: max(t.box[2] - t.box[0], t.box[3] - t.box[1]) for w, (t, *_) in zip(wanted, found, strict=True)}
    if {"big", "small"} <= set(sides) and sides["big"] < BIGGER * sides["small"]:
        return f"the big thing is {sides['big']} px, the small one {sides['small']} px"
    return ""


def _lacks(wanted: Wanted, task: str, seen: Seen) -> str:
    there = sum(seen.count(name) for name in _names(wanted))
    if there < wanted.count or (task in EXACT and there > wanted.count):
        return f"{wanted.count} {wanted.name} wanted, {there} found"
    if wanted.color is not None and len(_of(wanted, seen)) < wanted.count:
        colors = [thing.color or NATURAL for thing in seen.things if thing.name in _names(wanted)]
        return f"{wanted.color} {wanted.name} wanted, {', '.join(colors)} found"
    return ""


def _of(wanted: Wanted, seen: Seen) -> list[Detection]:
    return [t for t in seen.things if t.name in _names(wanted) and wanted.color in (None, t.color or NATURAL)]


def _names(wanted: Wanted) -> tuple[str, ...]:
    return wanted.classes or (wanted.name,)
