"""Curves as inline SVG: values with intervals over one axis, a style for each series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evalkit.pages.figures import svg, tick_text, ticks, written

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 380, 230, 44, 14, 12, 40  # user units
STYLES = 6  # colours and dashes; further series repeat them
WIDE, TALL = 5.4, 10  # of a character of a label, user units
Reach = tuple[float, float]


@dataclass(frozen=True)
class Dot:
    """A value at x with its interval, where there is one; `said` is what a pointer over it shows.

    `label`: what stands beside it, where no earlier label does.
    """

    x: float
    y: float
    low: float | None
    high: float | None
    said: str
    label: str = ""


def chart(
    x_title: str,
    y_title: str,
    series: Mapping[str, Sequence[Dot]],
    styles: Mapping[str, int],
    *,
    line: bool,
    reach: Reach | None = (0.0, 1.0),
    dots: bool = True,
) -> str:
    """SVG of values with intervals; empty where there is nothing to draw.

    `styles`: the style of each series. `line`: join the dots of a series. `reach`: ends of the upright axis [those of the
    values]. `dots`: draw them, not their line alone.
    """
    all_dots = [dot for each in series.values() for dot in each]
    if not all_dots:
        return ""
    across = [dot.x for dot in all_dots]
    x0, x1 = _room(across)
    whole = all(x == int(x) for x in across)  # rounds have no halves
    at = [tick for tick in ticks(x0, x1) if not whole or tick == int(tick)]
    y0, y1 = reach or _room([y for dot in all_dots for y in (dot.y, dot.low, dot.high) if y is not None])
    floor = HEIGHT - BOTTOM

    def px(x: float) -> float:
        return LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)

    def py(y: float) -> float:
        return floor - (y - y0) / (y1 - y0) * (floor - TOP)

    parts, labels = _axes(x_title, at, ticks(y0, y1), px, py), _Labels()
    for name, each in series.items():
        style = f"s{styles[name] % STYLES}"
        ordered = sorted(each, key=lambda dot: dot.x)
        if line and len(ordered) > 1:
            way = " ".join(f"{px(dot.x):.1f},{py(dot.y):.1f}" for dot in ordered)
            parts.append(f'<polyline class="curve {style}" points="{way}"/>')
        for dot in ordered if dots else ():
            x = px(dot.x) + (styles[name] - 1) * 1.5  # so that equal values are seen
            parts.append(_dot(dot, x, py, style))
            parts += labels.beside(dot.label, x, py(dot.y))
    return svg(f"{y_title} over {x_title}", parts, WIDTH, HEIGHT)


def _axes(
    x_title: str,
    across: Sequence[float],
    up: Sequence[float],
    px: Callable[[float], float],
    py: Callable[[float], float],
) -> list[str]:
    """Lines of the grid, numbers on both axes and the title below."""
    floor, parts = HEIGHT - BOTTOM, []
    for tick in up:
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py(tick):.1f}" y2="{py(tick):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{py(tick) + 4:.1f}" text-anchor="end">{tick_text(tick)}</text>')
    for tick in across:
        parts.append(f'<text x="{px(tick):.1f}" y="{floor + 15}" text-anchor="middle">{tick_text(tick)}</text>')
    at = f'x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle"'
    return [*parts, f'<text class="name" {at}>{written(x_title)}</text>']


def _dot(dot: Dot, x: float, py: Callable[[float], float], style: str) -> str:
    """A dot with the line of its interval."""
    part = f"<g><title>{written(dot.said)}</title>"
    if dot.low is not None and dot.high is not None:
        ends = f'y1="{py(dot.low):.1f}" y2="{py(dot.high):.1f}"'
        part += f'<line class="reach {style}" x1="{x:.1f}" x2="{x:.1f}" {ends}/>'
    return f'{part}<circle class="spot {style}" cx="{x:.1f}" cy="{py(dot.y):.1f}" r="3"/></g>'


class _Labels:
    """Words beside dots, each where it covers no other one; those without room are left out."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, float, float, float]] = []

    def beside(self, label: str, x: float, y: float) -> list[str]:
        """The label to the right or the left of a dot, above or below its middle."""
        wide = WIDE * len(label)
        for left, up in (
            ((x + 5, y - 4), (x - 5 - wide, y - 4), (x + 5, y + 12), (x - 5 - wide, y + 12)) if label else ()
        ):
            box = (left, up - TALL, left + wide, up)
            inside = box[0] >= LEFT and box[2] <= WIDTH and box[1] >= 0 and box[3] <= HEIGHT - BOTTOM
            if inside and not any(_overlap(box, other) for other in self.taken):
                self.taken.append(box)
                return [f'<text class="label" x="{left:.1f}" y="{up:.1f}">{written(label)}</text>']
        return []


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _room(values: Sequence[float]) -> Reach:
    """An axis a little wider than the values."""
    low, high = min(values), max(values)
    room = (high - low) * 0.06
    room = room if room > 1e-9 * max(abs(low), abs(high)) else max(abs(low) * 0.1, 0.05)
    return low - room, high + room


CSS = """
.curves{display:grid;grid-template-columns:repeat(auto-fit,minmax(18rem,1fr));gap:1.2rem}
.curves figure{margin:0}.curves svg{width:100%;height:auto}
.curve{fill:none;stroke-width:1.8}.reach{stroke-width:1;opacity:.55}.spot{stroke:none}
svg .grid{stroke:var(--hair)}.legend{display:flex;flex-wrap:wrap;gap:.4rem 1.2rem;padding:0;list-style:none}
ul.legend li svg{display:inline-block;width:2.2rem;height:.8rem;vertical-align:middle;margin-right:.4rem}
.s0{--c:var(--accent)}.s1{--c:#c2410c}.s2{--c:#0f8a5f}.s3{--c:#9333ea}.s4{--c:#8a6d00}.s5{--c:#d6336c}
svg .label{font-size:9px}
.curve,.reach{stroke:var(--c)}.spot{fill:var(--c)}
.s1.curve{stroke-dasharray:6 3}.s2.curve{stroke-dasharray:2 3}.s3.curve{stroke-dasharray:8 3 2 3}.s4.curve{stroke-dasharray:4 2}
"""
