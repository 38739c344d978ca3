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


@dataclass(frozen=True)
class Verdict:
    """Whether an image is right, and the first reason why not."""

    task: str
    correct: bool
    reason: str = ""


def verdict(demand: Demand, seen: Seen) -> Verdict:
    """Whether what was `seen` meets the `demand`."""
    reason = next((r for wanted in demand.wanted if (r := _lacks(wanted, demand.task, seen))), "")
    if not reason and demand.relation is not None:
        first, second = (_of(wanted, seen) for wanted in demand.wanted)
        if not any(demand.relation in relations(a, b) for a in first for b in second):
            reason = f"{demand.wanted[0].name} is not {demand.relation} {demand.wanted[1].name}"
    return Verdict(demand.task, not reason, reason)


def summary(verdicts: Sequence[Verdict]) -> dict[str, tuple[int, int]]:
    """(correct, all) of each task that occurs, in the order of `TASKS`."""
    counts = {task: [v.correct for v in verdicts if v.task == task] for task in TASKS}
    return {task: (sum(right), len(right)) for task, right in counts.items() if right}


def relations(a: Detection, b: Detection) -> set[str]:
    """The relations in which `a` stands to `b`; none where the boxes are too close to say."""
    return set(boxes.relations(a.box, b.box))


def _lacks(wanted: Wanted, task: str, seen: Seen) -> str:
    there = seen.count(wanted.name)
    if there < wanted.count or (task == "counting" and there > wanted.count):
        return f"{wanted.count} {wanted.name} wanted, {there} found"
    if wanted.color is not None and len(_of(wanted, seen)) < wanted.count:
        colors = [thing.color or "natural" for thing in seen.things if thing.name == wanted.name]
        return f"{wanted.color} {wanted.name} wanted, {', '.join(colors)} found"
    return ""


def _of(wanted: Wanted, seen: Seen) -> list[Detection]:
    return [t for t in seen.things if t.name == wanted.name and wanted.color in (None, t.color)]
