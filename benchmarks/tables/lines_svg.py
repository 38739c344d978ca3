"""Curves as SVG: panels beside each other, shares from 0 to 1 upwards, a legend under each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log

COLOURS = ("#c0392b", "#2c6fbb", "#1a7a4c", "#e08e0b", "#7d3c98", "#222222", "#e056a0", "#5d8aa8")
WIDE, HIGH, LEFT, TOP = 320, 150, 40, 30


@dataclass(frozen=True)
class Axis:
    """From the first of `ticks` to the last; values beyond lie on the ends."""

    label: str
    ticks: tuple[float, ...]
    by_factors: bool = False

    def at(self, value: float) -> float:
        """Pixels from the left end."""
        first, last, here = (log(each) if self.by_factors else each for each in (self.ticks[0], self.ticks[-1], value))
        return (WIDE - LEFT - 25) * min(max((here - first) / (last - first), 0.0), 1.0)


def panel(title: str, curves: Mapping[str, Iterable[tuple[float, float]]], axis: Axis) -> str:
    """One panel; `curves`: points (value on the axis, share) by name, in the order of their lines."""
    x0, base = LEFT, TOP + HIGH
    parts = [f'<text x="{x0}" y="{TOP - 12}" font-weight="bold" font-size="13">{title}</text>']
    for share in (0, 0.5, 1):
        y = base - HIGH * share
        parts.append(f'<path d="M{x0} {y}h{axis.at(axis.ticks[-1]):.0f}" stroke="#ccc"/>')
        parts.append(f'<text x="{x0 - 6}" y="{y + 4}" text-anchor="end">{share:g}</text>')
    for tick in axis.ticks:
        parts.append(f'<text x="{x0 + axis.at(tick):.0f}" y="{base + 16}" text-anchor="middle">{tick:,g}</text>')
    parts.append(f'<text x="{x0}" y="{base + 32}" fill="#555">{axis.label}</text>')
    for number, (name, points) in enumerate(curves.items()):
        line = " ".join(f"{x0 + axis.at(value):.1f},{base - HIGH * share:.1f}" for value, share in points)
        colour, dashes = COLOURS[number % len(COLOURS)], ' stroke-dasharray="5 3"' if number >= len(COLOURS) else ""
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        y = base + 50 + 15 * number
        parts.append(f'<path d="M{x0} {y - 4}h22" stroke="{colour}" stroke-width="2"{dashes}/>')
        parts.append(f'<text x="{x0 + 28}" y="{y}" fill="{colour}">{name}</text>')
    return "".join(parts)


def figure(panels: Sequence[str], across: int, curves: int) -> str:
    """All panels, each of so many curves at most."""
    tall = TOP + HIGH + 60 + 15 * curves
    rows = -(-len(panels) // across)
    size = f'viewBox="0 0 {WIDE * across} {tall * rows}" font-family="sans-serif" font-size="11"'
    ground = f'<path d="M0 0h{WIDE * across}v{tall * rows}H0z" fill="#fff"/>'
    placed = (
        f'<g transform="translate({at % across * WIDE},{at // across * tall})">{each}</g>'
        for at, each in enumerate(panels)
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{ground}{"".join(placed)}</svg>\n'
