"""Several lines of the same image, and several files of the same evidence, put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evalkit.tasks.probe.evidence.record import VERSION, ImageEvidence
from evalkit.tasks.probe.evidence.sections import BadLine


def joined(known: ImageEvidence, new: ImageEvidence) -> ImageEvidence:
    """Two lines of one image; what both say of it must be the same. Raises `BadLine`."""
    if (known.prompt, known.sample) != (new.prompt, new.sample):
        raise BadLine(f"{known.image} is the image of another prompt or sample on an earlier line")
    added: dict[str, Any] = {}
    for name in ("size", "sha256"):
        old, value = getattr(known, name), getattr(new, name)
        if None not in (old, value) and old != value:
            raise BadLine(f"{known.image} has another {name} on an earlier line")
        added[name] = old if value is None else value
    for name in ("boxes", "text", "answers", "replies", "measures"):
        value = getattr(new, name)
        if value is not None and getattr(known, name) is not None:
            raise BadLine(f"{known.image} has {name} on an earlier line already")
        added[name] = getattr(known, name) if value is None else value
    return replace(known, **added, options={**known.options, **new.options})


def merge_facts(facts: dict[str, Any], row: Mapping[str, Any]) -> None:
    """Add the facts of a line to those known; what both say must be the same. Raises `BadLine`."""
    if row["evidence"] != VERSION:
        raise BadLine(f"the evidence is of version {row['evidence']!r}, and this evalkit reads version {VERSION}")
    for name, value in row.items():
        if name != "evidence" and facts.setdefault(name, value) != value:
            raise BadLine(f"its {name[:40]!r} is not that of the evidence before it")
