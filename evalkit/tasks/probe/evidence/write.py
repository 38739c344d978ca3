"""Writing evidence: equal evidence gives equal bytes, and a file is there whole or not at all."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evalkit.encoders.detectors.detection import Detection
from evalkit.tasks.probe.evidence.record import VERSION, AskedReply, ImageEvidence


def write_evidence(path: Path, images: Iterable[ImageEvidence], facts: Mapping[str, Any] | None = None) -> None:
    """One line of facts, and one for each image; gzipped where the name ends in .gz."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
                stream.writelines(_lines(images, facts or {}))
        else:
            raw.writelines(_lines(images, facts or {}))
    os.replace(partial, path)


def line_of(evidence: ImageEvidence) -> dict[str, Any]:
    """The JSON object of one image; sections that nobody looked for are left out."""
    row: dict[str, Any] = {"image": evidence.image, "prompt": evidence.prompt, "sample": evidence.sample}
    if evidence.size is not None:
        row["size"] = list(evidence.size)
    if evidence.sha256 is not None:
        row["sha256"] = evidence.sha256
    if evidence.boxes is not None:
        row["boxes"] = [_box(each) for each in evidence.boxes]
    if evidence.text is not None:
        lines = zip(evidence.text.lines, evidence.text.scores, strict=True)
        row["text"] = [{"line": line, "score": score} for line, score in lines]
    if evidence.answers is not None:
        row["answers"] = [
            {
                "question": a.question,
                "answer": a.answer,
                **({"probabilities": dict(a.probabilities)} if a.probabilities else {}),
            }
            for a in evidence.answers
        ]
    if evidence.replies is not None:
        row["replies"] = [_reply(each) for each in evidence.replies]
    if evidence.measures is not None:
        row["measures"] = dict(evidence.measures)
    if evidence.embedding is not None:
        row["embedding"] = evidence.embedding
    if evidence.options:
        row["options"] = dict(evidence.options)
    return row


def head(facts: Mapping[str, Any]) -> bytes:
    """The line of facts."""
    return json_line({"evidence": VERSION, **facts})


def _lines(images: Iterable[ImageEvidence], facts: Mapping[str, Any]) -> Iterable[bytes]:
    yield head(facts)
    for each in images:
        yield json_line(line_of(each))


def json_line(row: Mapping[str, Any]) -> bytes:
    """An object as a line of JSON."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _box(each: Detection) -> dict[str, Any]:
    row: dict[str, Any] = {"class": each.label, "box": list(each.box), "score": each.score}
    if each.mask is not None:
        row["mask"] = {"size": [each.mask.height, each.mask.width], "counts": each.mask.counts}
    if each.color is not None:
        row["color"] = each.color
    if each.sureness is not None:
        row["sureness"] = each.sureness
    return row


def _reply(each: AskedReply) -> dict[str, Any]:
    reply = each.reply
    row = {"question": each.question, "state": reply.state, "detail": reply.detail, "value": reply.value}
    row |= {"text": reply.raw.text, "judge": each.judge, "key": reply.key}
    return {name: value for name, value in row.items() if value not in ("", None)}
