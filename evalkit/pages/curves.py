"""Lines over one axis as inline SVG, each with its band where it has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.pages.figures import svg, tick_text, ticks, written

Floats = npt.NDArray[np.float64]
WIDTH, HEIGHT, LEFT, FOOT, LINE = 400.0, 240.0, 40.0, 30.0, 15.0
COLOURS = ("#1565c0", "#c2185b", "#2e7d32")  # blue, red and green that show on light and on dark ground


@dataclass(frozen=True)
class Band:
    """Values of a line with their bounds, all [n]."""

    values: Floats
    low: Floats
    high: Floats


def curves(x: Floats, lines: Mapping[str, Floats | Band]) -> str:
    """Lines over one axis, as SVG with a legend."""
    bands = {name: each if isinstance(each, Band) else Band(each, each, each) for name, each in lines.items()}
    low = min(float(each.low.min()) for each in bands.values())
    high = max(float(each.high.max()) for each in bands.values())
    room = (high - low) * 0.05 or 1.0
    low, high = low - room, high + room
    top = 10 + LINE * len(bands)
    parts = legend(LEFT, list(bands))

    def points_of(y: Floats) -> list[str]:
        return [f"{_x(a, x):.1f},{_y(b, low, high, top):.1f}" for a, b in zip(x, y, strict=True)]

    for place, each in enumerate(bands.values()):
        colour = COLOURS[place % len(COLOURS)]
        if each.low is not each.high:
            around = [*points_of(each.low), *reversed(points_of(each.high))]
            parts.append(f'<polygon points="{" ".join(around)}" fill="{colour}" fill-opacity=".22"/>')
        points = " ".join(points_of(each.values))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
    parts += [f'<text x="2" y="{_y(t, low, high, top):.1f}">{tick_text(t)}</text>' for t in ticks(low, high)]
    parts += [
        f'<text x="{_x(t, x):.1f}" y="{HEIGHT - 8}">{tick_text(t)}</text>' for t in ticks(float(x[0]), float(x[-1]))
    ]
    return svg(", ".join(lines), parts, WIDTH, HEIGHT)


def legend(left: float, names: Sequence[str]) -> list[str]:
    """A swatch and a name a line, from the top, in the order of `COLOURS`."""
    parts = []
    for place, name in enumerate(names):
        y = 14 + LINE * place
        parts.append(f'<circle cx="{left + 4:g}" cy="{y - 4:g}" r="4" fill="{COLOURS[place % len(COLOURS)]}"/>')
        parts.append(f'<text class="name" x="{left + 14:g}" y="{y:g}">{written(name)}</text>')
    return parts


def _x(value: float, x: Sequence[float] | Floats) -> float:
    return LEFT + (WIDTH - LEFT - 12) * (value - float(x[0])) / (float(x[-1]) - float(x[0]))


def _y(value: float, low: float, high: float, top: float) -> float:
    return top + (HEIGHT - FOOT - top) * (high - value) / (high - low)
