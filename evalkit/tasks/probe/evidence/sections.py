"""The sections of a line of evidence, read strictly: anything but the schema raises `BadLine` with what is wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from evalkit.encoders.answers import Answer
from evalkit.encoders.base import OcrText
from evalkit.encoders.detectors.detection import Box, Boxes, Detection
from evalkit.encoders.detectors.rle import Mask
from evalkit.judges.reply import STATES, RawReply, Reply
from evalkit.tasks.probe.evidence.record import AskedReply

SECTIONS = {  # the names that an object of each section may have
    "boxes": ("class", "box", "score", "mask", "color", "sureness"),
    "text": ("line", "score"),
    "answers": ("question", "answer", "probabilities"),
    "replies": ("question", "state", "detail", "value", "text", "judge", "key"),
}


class BadLine(Exception):
    """What is wrong with a line of evidence."""


def boxes_of(rows: Any) -> Boxes:
    """The detections of the section "boxes"."""
    return tuple(_detection(row) for row in rows_of(rows, "boxes"))


def text_of(rows: Any) -> OcrText:
    """The lines of the section "text"."""
    lines = rows_of(rows, "text")
    return OcrText(
        tuple(words(row, "line") for row in lines), tuple(share(row.get("score", 1.0), "score") for row in lines)
    )


def answers_of(rows: Any) -> tuple[Answer, ...]:
    """The answers of the section "answers"."""
    return tuple(
        Answer(words(row, "question"), words(row, "answer"), _shares(row.get("probabilities", {})))
        for row in rows_of(rows, "answers")
    )


def replies_of(rows: Any) -> tuple[AskedReply, ...]:
    """The judge's replies of the section "replies"."""
    return tuple(_reply(row) for row in rows_of(rows, "replies"))


def detection(label: str, numbers: Any, color: str | None = None) -> Detection:
    """A detection of [left, top, right, bottom, score]."""
    if not isinstance(numbers, list) or len(numbers) != 5:
        raise BadLine(f"a detection of {label} is not [left, top, right, bottom, score]")
    return Detection(label, box_of(numbers[:4], label), share(numbers[4], "score"), None, color)


def box_of(numbers: Any, label: str) -> Box:
    """Four finite corners, left before right and top before bottom."""
    if not isinstance(numbers, list) or len(numbers) != 4 or not all(is_number(n) for n in numbers):
        raise BadLine(f"a box of {label} is not [left, top, right, bottom]")
    left, top, right, bottom = (float(n) for n in numbers)
    if left > right or top > bottom:
        raise BadLine(f"a box of {label} ends before it begins")
    return left, top, right, bottom


def share(value: Any, name: str) -> float:
    """A number from 0 to 1."""
    if not is_number(value) or not 0 <= value <= 1:
        raise BadLine(f"{name} is {_shown(value)}, not a number from 0 to 1")
    return float(value)


def words(row: Mapping[str, Any], name: str) -> str:
    """A text that must be there."""
    value = row.get(name)
    if not isinstance(value, str):
        raise BadLine(f"{name!r} is missing or no text")
    return value


def size_of(value: Any) -> tuple[int, int]:
    """Height and width in pixels."""
    if not isinstance(value, list) or len(value) != 2 or not all(is_count(n) and n > 0 for n in value):
        raise BadLine(f"a size is {_shown(value)}, not [height, width]")
    return value[0], value[1]


def rows_of(rows: Any, name: str) -> list[dict[str, Any]]:
    """The list of objects of the section `name`; they have no other names than `SECTIONS` says."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadLine(f"{name!r} is no list of objects")
    for row in rows:
        if odd := [key for key in row if key not in SECTIONS[name]]:
            raise BadLine(f"an object in {name!r} has the unknown name {_shown(odd[0])}")
    return rows


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_count(value: Any) -> bool:
    """Whether a value is a whole number from 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _detection(row: dict[str, Any]) -> Detection:
    label = words(row, "class")
    color = row.get("color")
    if color is not None and not isinstance(color, str):
        raise BadLine(f"the color of {label} is no text")
    mask, sure = row.get("mask"), row.get("sureness")
    return Detection(
        label,
        box_of(row.get("box"), label),
        share(row.get("score"), "score"),
        None if mask is None else _mask(mask),
        color,
        None if sure is None else share(sure, "sureness"),
    )


def _mask(row: Any) -> Mask:
    if not isinstance(row, dict) or set(row) != {"size", "counts"}:
        raise BadLine("a mask is not of size and counts")
    return Mask(*size_of(row["size"]), words(row, "counts"))


def _shares(row: Any) -> dict[str, float]:
    if not isinstance(row, dict):
        raise BadLine("'probabilities' is no object")
    return {name: share(value, f"the probability of {_shown(name)}") for name, value in row.items()}


def _reply(row: dict[str, Any]) -> AskedReply:
    state = words(row, "state")
    if state not in STATES:
        raise BadLine(f"the state of a reply is {_shown(state)}, not one of {', '.join(STATES)}")
    if state == "answered" and row.get("value") is None:
        raise BadLine("a reply is answered and has no value")
    texts = {name: words(row, name) if name in row else "" for name in ("detail", "text", "judge", "key")}
    raw = RawReply("error" if state == "failed" else "answer", texts["text"])
    value = row.get("value") if state == "answered" else None
    reply = Reply(texts["key"], state, texts["detail"], value, raw)
    return AskedReply(words(row, "question"), reply, texts["judge"])


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
