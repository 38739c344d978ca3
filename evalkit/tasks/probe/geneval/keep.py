"""Which of the detections count."""

from __future__ import annotations

from collections.abc import Iterable

from evalkit.encoders.detectors.detection import Detection
from evalkit.metrics.boxes import overlap
from evalkit.tasks.probe.geneval.options import RuleOptions

Kept = dict[str, list[Detection]]


def keep(detections: Iterable[Detection], tag: str, options: RuleOptions) -> Kept:
    """The detections of each class that count, the surest first; of equal scores the later one comes first.

    Scores must be above the threshold, and at most `max_objects` are kept of a class before overlaps are removed.
    """
    classes: Kept = {}
    least = options.above(tag)
    for each in detections:
        if each.score > least:
            classes.setdefault(each.label, []).append(each)
    return {name: _best(found, options) for name, found in classes.items()}


def _best(found: list[Detection], options: RuleOptions) -> list[Detection]:
    order = sorted(found, key=lambda each: each.score)  # stable: reversed, the later one of a tie leads
    order.reverse()
    order = order[: int(options.max_objects)]
    return order if options.max_overlap == 1 else _apart(order, options.max_overlap)


def _apart(order: list[Detection], most: float) -> list[Detection]:
    """Greedily from the surest: those that overlap a kept one by less than `most`."""
    kept: list[Detection] = []
    for each in order:
        if all(overlap(stronger.box, each.box) < most for stronger in kept):
            kept.append(each)
    return kept
