"""Rows of a judged suite: what the replies about one image come to, by both parsers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from evalkit.protocols.judged.declaration import Declaration
from evalkit.tasks.probe.evidence.record import ImageEvidence
from evalkit.tasks.probe.judged.counted import CORRECTED
from evalkit.tasks.probe.judged.items import JudgedItem
from evalkit.tasks.probe.judged.reading import Judged, judge_image
from evalkit.tasks.probe.rows import ProbeRow


def judged_row(said: Declaration, seen: ImageEvidence, item: JudgedItem) -> ProbeRow:
    """The row of an image by the official parser, with what that of evalkit-1 makes of the same replies."""
    replies = seen.replies or ()
    more = {**item.metadata, **(seen.measures or {})}
    item = replace(item, metadata=more)
    official, corrected = (judge_image(said, item, seen.sample, replies, official=o) for o in (True, False))
    head = said.scores[0].name
    values = {name: value for name, value in official.values.items() if not math.isnan(value)}
    if not math.isnan(corrected.values.get(head, math.nan)):
        values[f"{CORRECTED}:{head}"] = corrected.values[head]
    details: dict[str, Any] = {"official": _told(official), CORRECTED: _told(corrected)}
    if official.parts:
        details["parts"] = [list(each) for each in official.parts]
    score = official.values.get(head)
    kinds = (official.state,) if official.state != "answered" else ()
    return ProbeRow(
        seen.image,
        seen.prompt,
        seen.sample,
        item.category,
        None if score is None or math.isnan(score) else score,
        official.state,
        official.reason,
        kinds,
        values,
        details,
    )


def absent_row(said: Declaration, item: JudgedItem, sample: int) -> ProbeRow:
    """The row of an image that is not there."""
    none = _told(replace(judge_image(said, item, sample, (), official=True), state="missing"))
    details = {"official": none, CORRECTED: none}
    return ProbeRow("", item.id, sample, item.category, None, "missing", details=details)


def _told(found: Judged) -> dict[str, Any]:
    told: dict[str, Any] = {"state": found.state}
    if found.values:
        told["values"] = {name: value for name, value in found.values.items() if not math.isnan(value)}
    if found.weights:
        told["weights"] = dict(found.weights)
    if found.lost:
        told["lost"] = found.lost
    if found.lost_by:
        told["lost_by"] = dict(found.lost_by)
    if found.ends:
        told["ends"] = {name: list(values) for name, values in found.ends.items()}
    if found.guesses:
        told["guesses"] = {name: list(values) for name, values in found.guesses.items()}
    if found.split:
        told["split"] = [list(each) for each in found.split]
    return told
