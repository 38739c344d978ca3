"""What was seen in an image, drawn over it: boxes of what counted, each with its class and colour."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from evalkit.jsonio import parse_json
from evalkit.tasks.probe.evidence.record import ImageEvidence
from evalkit.text import visible
from evalkit.world.judge import NATURAL

SIDE = 320.0  # width of the drawing, the image's aside
COLORS = 6  # of outlines, in the page's style


def drawing(seen: ImageEvidence, details: str | None) -> tuple[Markup, list[str]]:
    """(an SVG that covers the image, names of what is in it); `details`: the kept boxes by class, as the row has them."""
    kept: dict[str, list[list[float]]] = parse_json(details, "the details of a row", surrogates=True) if details else {}
    height, width = seen.size or _extent(kept)
    scale = SIDE / width
    parts, names = [], []
    for number, (name, rows) in enumerate(kept.items()):
        for row in rows:
            told = _told(name, row, seen)
            names.append(f"{told} {row[4]:.2f}")
            parts.append(_box(row, scale, number % COLORS, told))
    tall = f"{height * scale:.1f}"
    title = escape("; ".join(visible(name) for name in names) or "nothing was found")
    svg = f'<svg class="boxes" viewBox="0 0 {SIDE:g} {tall}" role="img"><title>{title}</title>{"".join(parts)}</svg>'
    return Markup(svg), names


def _box(row: list[float], scale: float, color: int, told: str) -> str:
    left, top, right, bottom = (side * scale for side in row[:4])
    corner = f'x="{left:.1f}" y="{top:.1f}" width="{max(right - left, 1):.1f}" height="{max(bottom - top, 1):.1f}"'
    low = top + 17 if top < 18 else top - 5
    inside = f'x="{right - 2:.1f}" text-anchor="end"' if left > SIDE / 2 else f'x="{left + 2:.1f}"'
    text = f'<text {inside} y="{low:.1f}">{escape(visible(told))}</text>'
    return f'<g class="k{color}"><rect {corner}/>{text}</g>'


def _told(name: str, row: list[float], seen: ImageEvidence) -> str:
    """The class with its colour, where somebody named one."""
    for box in seen.boxes or ():
        if list(box.box) == row[:4] and box.score == row[4] and box.color not in (None, NATURAL):
            return f"{box.color} {name}"
    return name


def _extent(kept: Any) -> tuple[float, float]:
    """Height and width that hold all boxes, where the evidence does not state the image's."""
    rows = [row for rows in kept.values() for row in rows]
    return max([1.0, *(row[3] for row in rows)]), max([1.0, *(row[2] for row in rows)])
