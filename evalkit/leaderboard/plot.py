"""A row's value with its interval on the board's axis, and hollow marks for reported figures, as a small inline SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, PAD = 220, 22, 9


@dataclass(frozen=True)
class Axis:
    """From `low` to `high` in the metric's unit; what lies beyond is drawn at the edge, as an arrow."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Where a value lies, in user units of the drawing."""
        if self.high <= self.low:
            return WIDTH / 2
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return PAD + share * (WIDTH - 2 * PAD)

    def beyond(self, value: float) -> int:
        """-1 or 1 where a value lies off the axis, else 0."""
        return (value > self.high) - (value < self.low)


def axis_of(measured: Sequence[float | None], reported: Sequence[float]) -> Axis:
    """An axis over the measured values and bounds; it reaches out to reported ones by at most their own span each way.

    >>> axis_of([1.0, 2.0], [2.5, 40.0])
    Axis(low=1.0, high=2.5)
    """
    known = [value for value in measured if value is not None and math.isfinite(value)]
    if not known:
        known = [value for value in reported if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    span = (high - low) or abs(high) or 1.0
    near = [value for value in reported if low - span <= value <= high + span]
    return Axis(min([low, *near]), max([high, *near]))


def interval_svg(
    axis: Axis, value: float | None, low: float | None, high: float | None, hollow: Sequence[float]
) -> str:
    """The row's drawing; hidden from screen readers, since the same numbers stand beside it."""
    parts = [f'<line class="axis" x1="{PAD}" x2="{WIDTH - PAD}" y1="11" y2="11"/>']
    if low is not None and high is not None:
        parts.append(f'<line class="span" x1="{axis.at(low):.1f}" x2="{axis.at(high):.1f}" y1="11" y2="11"/>')
    parts += [_hollow(axis, each) for each in hollow]
    if value is not None:
        if math.isfinite(value) and not axis.beyond(value):
            parts.append(f'<circle class="dot" cx="{axis.at(value):.1f}" cy="11" r="4"/>')
        else:
            parts.append(_arrow("dot", 1 if value > axis.low else -1))
    return (
        f'<svg class="row-plot" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )


def _hollow(axis: Axis, value: float) -> str:
    side = axis.beyond(value)
    title = f"<title>{escape(f'reported: {value:g}')}</title>"
    if side:
        return _arrow("hollow", side).replace("/>", f">{title}</path>")
    x = axis.at(value)
    return f'<path class="hollow" d="M{x:.1f} 5l6 6l-6 6l-6-6z">{title}</path>'


def _arrow(kind: str, side: int) -> str:
    x = WIDTH - 2 if side > 0 else 2
    return f'<path class="{kind}" d="M{x} 11l{-7 * side} -5v10z"/>'
