"""A fixed pack of items that is judged before every campaign, and an alarm where the judge has drifted.

The file holds JSON lines: first {"anchors": 1, "judge": …, "snapshot": …, "made": …}, then {"id": …, "value": …} each.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.jsonio import parse_json
from evalkit.stats.paired import Difference, paired_difference
from evalkit.textfiles import lines_of, read_text
from evalkit.whole_files import whole

LEVEL = 0.01


@dataclass(frozen=True)
class AnchorPack:
    """What a judge said of each item when the pack was made (an ISO date)."""

    judge: str
    snapshot: str | None
    made: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Drift:
    """`shift`: new minus old scores. `changed`: share of items whose score is another. `lost`: items without a new one.

    `alarm`: one sentence where the scores moved beyond the tolerance, or surely moved; empty otherwise.
    """

    shift: Difference
    changed: float
    lost: int
    alarm: str


def drift(pack: AnchorPack, values: Mapping[str, float], *, tolerance: float, level: float = LEVEL) -> Drift:
    """How the scores of a pack's items have moved. `tolerance`: mean shift that is taken as noise, on the scores' scale.

    Raises `EvalkitError` where no item of the pack was judged, or items are not of the pack.
    """
    unknown = sorted(set(values) - set(pack.values))
    if unknown:
        raise EvalkitError(f"{unknown[0]} is no item of the anchor pack. Judge the items of the pack alone")
    if not values:
        raise EvalkitError("no item of the anchor pack has a score. Judge the pack first")
    ids = sorted(values)
    shift = paired_difference([values[i] for i in ids], [pack.values[i] for i in ids])
    changed = sum(values[i] != pack.values[i] for i in ids) / len(ids)
    lost = len(pack.values) - len(ids)
    return Drift(shift, changed, lost, _alarm(pack, shift, lost, tolerance, level))


def read_anchors(path: Path) -> AnchorPack:
    """The pack in a file. Raises `EvalkitError` with the number of the line that is not of the form."""
    numbered = [(number, line) for number, line in enumerate(lines_of(read_text(path)), 1) if line.strip()]
    values: dict[str, float] = {}
    head: Mapping[str, Any] = {}
    for number, line in numbered:
        try:
            row = parse_json(line, f"line {number}")
            if not head:
                head = {"judge": str(row["judge"]), "made": str(row["made"]), "version": row["anchors"], **row}
                continue
            name, value = str(row["id"]), float(row["value"])
        except DAMAGED:
            raise EvalkitError(
                f"{path.name}, line {number} is not of an anchor pack's form. Make the pack again"
            ) from None
        if name in values or not math.isfinite(value):
            raise EvalkitError(f"{path.name}, line {number} gives {name} twice or no number. Make the pack again")
        values[name] = value
    if not values or head.get("version") != 1:
        raise EvalkitError(f"{path.name} is no anchor pack of version 1. Make the pack again")
    return AnchorPack(head["judge"], head.get("snapshot"), head["made"], values)


def write_anchors(path: Path, pack: AnchorPack) -> None:
    """Write a pack, its items in the order of their ids."""
    head = {"anchors": 1, "judge": pack.judge, "snapshot": pack.snapshot, "made": pack.made}
    rows = [head, *({"id": name, "value": value} for name, value in sorted(pack.values.items()))]
    with whole(path) as temporary:
        temporary.write_text(
            "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows), "utf-8"
        )


def _alarm(pack: AnchorPack, shift: Difference, lost: int, tolerance: float, level: float) -> str:
    moved = shift.estimate.value
    if abs(moved) > tolerance or shift.p < level:
        return (
            f"The judge {pack.judge} has drifted since {pack.made}: the anchor pack moved by {moved:+.3g} "
            f"({shift.test}, p = {shift.p:.2g}). Do not compare with scores from before."
        )
    if lost:
        return f"The judge {pack.judge} no longer answers {lost} of {len(pack.values)} items of the anchor pack."
    return ""
