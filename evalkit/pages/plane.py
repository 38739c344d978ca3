"""Runs on a plane of two measured values, such as rate against quality, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.pages.figures import svg, tick_text, ticks, written
from evalkit.text import number_text, shortened

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 380, 270, 40, 12, 14, 38
NAMED = 8  # more points than this are numbered
LETTER, LINE = 6.0, 12.0  # room for a letter and a line of 11-unit text


@dataclass(frozen=True)
class Point:
    """A run on a plane of two measured values, each with its interval where it has one."""

    name: str
    x: float
    y: float
    x_bounds: tuple[float, float] | None = None
    y_bounds: tuple[float, float] | None = None


@dataclass(frozen=True)
class Box:
    """A rectangle that a name or a dot takes."""

    x0: float
    y0: float
    x1: float
    y1: float

    def meets(self, other: Box) -> bool:
        """Whether the two overlap."""
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1


def plane(x_title: str, y_title: str, points: Sequence[Point], *, joined: bool = False) -> str:
    """Dots with interval bars and names; numbers instead of names where there are many. Empty below two points.

    `joined`: a line through the dots in their order instead of names, for what follows each other.
    """
    points = [p for p in points if math.isfinite(p.x) and math.isfinite(p.y)]
    if len(points) < 2:
        return ""
    x0, x1 = _padded([v for p in points for v in (p.x, *(p.x_bounds or ()))])
    y0, y1 = _padded([v for p in points for v in (p.y, *(p.y_bounds or ()))])

    def px(x: float) -> float:
        return LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)

    def py(y: float) -> float:
        return HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - BOTTOM - TOP)

    floor = HEIGHT - BOTTOM
    parts = []
    for tick in ticks(x0, x1):
        parts.append(f'<line class="grid" x1="{px(tick):.1f}" x2="{px(tick):.1f}" y1="{TOP}" y2="{floor}"/>')
        parts.append(f'<text x="{px(tick):.1f}" y="{floor + 14}" text-anchor="middle">{tick_text(tick)}</text>')
    for tick in ticks(y0, y1):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py(tick):.1f}" y2="{py(tick):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{py(tick) + 4:.1f}" text-anchor="end">{tick_text(tick)}</text>')
    if joined:
        corners = " ".join(f"{px(p.x):.1f},{py(p.y):.1f}" for p in points)
        parts.append(f'<polyline class="joined" points="{corners}"/>')
    taken = [Box(px(p.x) - 6, py(p.y) - 6, px(p.x) + 6, py(p.y) + 6) for p in points]
    for p in points:
        if p.x_bounds is not None:
            taken.append(Box(px(p.x_bounds[0]), py(p.y) - 1, px(p.x_bounds[1]), py(p.y) + 1))
        if p.y_bounds is not None:
            taken.append(Box(px(p.x) - 1, py(p.y_bounds[1]), px(p.x) + 1, py(p.y_bounds[0])))
    for number, p in enumerate(points):
        x, y = px(p.x), py(p.y)
        words = f"{p.name}: {x_title} {number_text(p.x)}, {y_title} {number_text(p.y)}"
        parts.append(f'<g class="plain"><title>{written(words)}</title>')
        for bounds, line in ((p.x_bounds, (px, True)), (p.y_bounds, (py, False))):
            if bounds is not None:
                a, b = (line[0](v) for v in bounds)
                ends = (a, b, y, y) if line[1] else (x, x, a, b)
                parts.append('<line class="error" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>'.format(*ends))
        parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>')
        if joined:
            parts.append("</g>")
            continue
        label = shortened(p.name, 26) if len(points) <= NAMED else str(number + 1)
        box = _place(x, y, len(label) * LETTER, taken)
        taken.append(box)
        if min(abs(box.y0 - y), abs(box.y1 - y)) > LINE:  # too far off to be read as this dot's
            near = box.x0 if box.x0 > x else box.x1
            parts.append(f'<line class="leader" x1="{x:.1f}" x2="{near:.1f}" y1="{y:.1f}" y2="{box.y0 + 7:.1f}"/>')
        parts.append(f'<text class="name" x="{box.x0:.1f}" y="{box.y1 - 3:.1f}">{written(label)}</text></g>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{written(x_title)}</text>')
    said = "; ".join(f"{p.name}: {number_text(p.x)}, {number_text(p.y)}" for p in points)
    return svg(f"{y_title} against {x_title}. {said}", parts, WIDTH, HEIGHT)


def numbered(points: Sequence[Point]) -> bool:
    """Whether the plane shows numbers, so that the page must list the names."""
    return len([p for p in points if math.isfinite(p.x) and math.isfinite(p.y)]) > NAMED


def _place(x: float, y: float, wide: float, taken: Sequence[Box]) -> Box:
    """Room for a name beside its dot: the first place, nearest first, that overlaps nothing and lies inside."""
    places = []
    for step in (0.75, 0.0, *(0.75 * i for i in range(2, 13))):
        for down in (-step * LINE, step * LINE):
            places += [(x + 7, y - LINE / 2 + down), (x - 7 - wide, y - LINE / 2 + down)]
    boxes = [Box(left, top, left + wide, top + LINE) for left, top in places]
    inside = [b for b in boxes if b.x0 >= LEFT and b.x1 <= WIDTH - 2 and b.y0 >= 2 and b.y1 <= HEIGHT - BOTTOM]
    free = (b for b in inside if not any(b.meets(other) for other in taken))
    return next(free, (inside or boxes)[0])


def _padded(values: Sequence[float]) -> tuple[float, float]:
    finite = [v for v in values if math.isfinite(v)]
    low, high = min(finite), max(finite)
    pad = (high - low) * 0.08 or max(abs(high) * 0.05, 0.05)
    return low - pad, high + pad
