"""Lines of evidence in both forms, full and short."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from evalkit.encoders.detectors.detection import Detection
from evalkit.tasks.probe.evidence.record import ImageEvidence, prompt_id
from evalkit.tasks.probe.evidence.sections import (
    BadLine,
    answers_of,
    boxes_of,
    detection,
    is_count,
    is_number,
    replies_of,
    size_of,
    text_of,
    words,
)

NAMES = (
    *("image", "prompt", "sample", "size", "sha256", "boxes", "text", "answers", "replies", "measures"),
    *("embedding", "options"),
)
_SHORT = frozenset(("m", "d", "c", "o"))
_RESULTS = frozenset(("k", "ok", "why", "tie"))  # what rules make of a short line, where a file holds it as well


def full_line(row: dict[str, Any]) -> ImageEvidence:
    """The evidence of a line of the full schema. Raises `BadLine`."""
    if odd := [name for name in row if name not in NAMES]:
        raise BadLine(f"the name {odd[0][:40]!r} is unknown")
    sample = row.get("sample", 0)
    if not is_count(sample):
        raise BadLine("'sample' is no whole number from 0")
    sha = row.get("sha256")
    size = size_of(row["size"]) if "size" in row else None
    boxes = boxes_of(row["boxes"]) if "boxes" in row else None
    for each in boxes or ():
        if each.mask is not None and size not in (None, (each.mask.height, each.mask.width)):
            raise BadLine(f"a mask of {each.label} is of another size than the image")
    return ImageEvidence(
        image=words(row, "image"),
        prompt=prompt_of(row.get("prompt")),
        sample=sample,
        size=size,
        sha256=words(row, "sha256") if sha is not None else None,
        boxes=boxes,
        text=text_of(row["text"]) if "text" in row else None,
        answers=answers_of(row["answers"]) if "answers" in row else None,
        replies=replies_of(row["replies"]) if "replies" in row else None,
        measures=_options(row["measures"], "measures") if "measures" in row else None,
        embedding=words(row, "embedding") if "embedding" in row else None,
        options=_options(row.get("options", {}), "options"),
    )


def short_line(row: dict[str, Any], number: int, samples: Counter[str]) -> ImageEvidence:
    """The evidence of line `number` in the short form; `samples` counts the images of each prompt. Raises `BadLine`."""
    if odd := [name for name in row if name not in _SHORT | _RESULTS]:
        raise BadLine(f"the name {odd[0][:40]!r} is unknown")
    found, colors, options = row.get("d"), row.get("c", {}), row.get("o", {})
    if not isinstance(colors, dict) or not isinstance(found, dict):
        raise BadLine("'d' or 'c' is no object")
    options = _options(options, "o")
    boxes = [each for label, rows in found.items() for each in _class(label, rows, colors.get(label))]
    prompt = prompt_of(row["m"])
    samples[prompt] += 1
    return ImageEvidence(f"line {number}", prompt, samples[prompt] - 1, boxes=tuple(boxes), options=options)


def prompt_of(value: Any) -> str:
    """The id of a prompt that is given by its place or its id. Raises `BadLine`."""
    if is_count(value):
        return prompt_id(value)
    if isinstance(value, str) and value:
        return value
    raise BadLine("'prompt' is neither a whole number from 0 nor a text")


def _options(value: Any, name: str) -> dict[str, float]:
    if not isinstance(value, dict) or not all(is_number(each) for each in value.values()):
        raise BadLine(f"{name!r} is no object of numbers")
    return value


def _class(label: str, rows: Any, colors: Any) -> Iterator[Detection]:
    if not isinstance(rows, list):
        raise BadLine(f"the detections of {label} are no list")
    if colors is not None and (not isinstance(colors, list) or len(colors) != len(rows)):
        raise BadLine(f"'c' does not hold one color for each detection of {label}")
    for row, color in zip(rows, colors or [None] * len(rows), strict=True):
        if color is not None and not isinstance(color, str):
            raise BadLine(f"a color of {label} is no text")
        yield detection(label, row, color)
