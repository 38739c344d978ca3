"""Distributions, intervals and times as inline SVG: no library, no network, colours from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from evalkit.pages.columns import Values
from evalkit.text import number_text, shortened, visible

WIDTH, PAD, AXIS = 360, 10, 24  # user units; a phone shows about one a pixel
NAME = 112  # room for names left of intervals and bars
BINS = (8, 32)  # least, most


@dataclass(frozen=True)
class Interval:
    """A named value with its interval; `best` where it is first at 95 % confidence."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    best: bool = False


def ridges(title: str, rows: Sequence[tuple[str, Values]], low: float | None, high: float | None) -> str:
    """Histograms of one metric on one axis, a row for each name, with the median and the middle 90 % of each.

    `low` and `high` bound the metric itself, so that the axis never shows values that it cannot have. Infinite values
    (exact images) are counted in words, and are in no median.
    """
    exact = [int(np.isinf(values).sum()) for _, values in rows if np.isfinite(values).any()]
    rows = [(name, values[np.isfinite(values)]) for name, values in rows if np.isfinite(values).any()]
    if not rows:
        return ""
    least, most = min(float(v.min()) for _, v in rows), max(float(v.max()) for _, v in rows)
    x0, x1 = _room(least, most, low, high)
    bins = min(max(round(2 * max(len(v) for _, v in rows) ** 0.5), BINS[0]), BINS[1])
    tall = 96 if len(rows) == 1 else 34 if len(rows) <= 8 else 24
    head = 18
    parts, said = [], []
    for number, (name, values) in enumerate(rows):
        base = (number + 1) * (tall + head)
        share = np.histogram(values, bins=bins, range=(x0, x1))[0] / len(values)
        xs = np.repeat(np.linspace(PAD, WIDTH - PAD, bins + 1), 2)[1:-1]
        ys = base - np.repeat(share / share.max(), 2) * (tall - 4)
        outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
        q5, q50, q95 = (float(q) for q in np.quantile(values, (0.05, 0.5, 0.95)))
        at = [_scale(q, x0, x1, PAD, WIDTH - PAD) for q in (q5, q50, q95)]
        words = f"median {number_text(q50)}, 90 % between {number_text(q5)} and {number_text(q95)}, n {len(values):,}"
        words += f", and {exact[number]:,} exact" if exact[number] else ""
        said.append(f"{name}: {words}" if name else words)
        parts.append(f"<g><title>{written(said[-1])}</title>")
        if name:
            parts.append(f'<text class="name" x="{PAD}" y="{base - tall - 4}">{written(shortened(name, 34))}</text>')
        parts.append(f'<text x="{WIDTH - PAD}" y="{base - tall - 4}" text-anchor="end">')
        parts.append(f"median {number_text(q50)}{f', {exact[number]:,} exact besides' if exact[number] else ''}</text>")
        parts.append(f'<polygon class="area" points="{PAD},{base} {outline} {WIDTH - PAD},{base}"/>')
        parts.append(_line("axis", PAD, WIDTH - PAD, base, base))
        parts.append(_line("span", at[0], at[2], base, base))
        parts.append(f"{_line('median', at[1], at[1], base - tall + 4, base + 3)}</g>")
    height = len(rows) * (tall + head) + AXIS
    return svg(f"Distribution of {title}. {'; '.join(said)}", [*parts, *_axis(x0, x1, PAD, height)], WIDTH, height)


def intervals(title: str, rows: Sequence[Interval], low: float | None, high: float | None) -> str:
    """Values with their 95 % intervals on one axis, a row for each run; `low` and `high` bound the metric itself."""
    rows = [row for row in rows if math.isfinite(row.value)]
    if not rows:
        return ""
    ends = [v for r in rows for v in (r.value, r.low, r.high) if v is not None and math.isfinite(v)]
    x0, x1 = _room(min(ends), max(ends), low, high)
    tall = 26 if len(rows) <= 8 else 20
    height = len(rows) * tall + AXIS + 6
    parts = [
        _line("grid", at, at, 2, height - AXIS + 2)
        for at in (_scale(tick, x0, x1, NAME, WIDTH - PAD) for tick in ticks(x0, x1, 4))
    ]
    said = []
    for number, row in enumerate(rows):
        y = number * tall + tall / 2 + 2
        words = f"{row.name} {number_text(row.value)}"
        kind = "best" if row.best else "plain"
        if row.low is not None and row.high is not None:
            words += f", 95 % interval {number_text(row.low)} to {number_text(row.high)}"
        said.append(words + (", first at 95 % confidence" if row.best else ""))
        parts.append(f'<g class="{kind}"><title>{written(said[-1])}</title>')
        parts.append(f'<text class="name" x="{NAME - 8}" y="{y + 4}" text-anchor="end">')
        parts.append(f"{written(shortened(row.name, 15))}</text>")
        if row.low is not None and row.high is not None:
            left, right = (_scale(min(max(v, x0), x1), x0, x1, NAME, WIDTH - PAD) for v in (row.low, row.high))
            parts.append(_line("span", left, right, y, y))
        parts.append(
            f'<circle class="dot" cx="{_scale(row.value, x0, x1, NAME, WIDTH - PAD):.1f}" cy="{y}" r="4"/></g>'
        )
    return svg(f"{title}. {'; '.join(said)}", [*parts, *_axis(x0, x1, NAME, height)], WIDTH, height)


def bars(title: str, rows: Sequence[tuple[str, float]]) -> str:
    """Seconds by stage as bars from zero, longest first."""
    rows = sorted((r for r in rows if r[1] > 0), key=lambda r: (-r[1], r[0]))
    if not rows:
        return ""
    parts, tall = [], 20
    for number, (name, seconds) in enumerate(rows):
        y = number * tall + 4
        end = _scale(seconds, 0, rows[0][1], NAME, WIDTH - 58)
        parts.append(f'<text class="name" x="{NAME - 8}" y="{y + 11}" text-anchor="end">')
        parts.append(f"{written(shortened(name, 15))}</text>")
        parts.append(f'<rect class="bar" x="{NAME}" y="{y + 2}" width="{max(end - NAME, 1):.1f}" height="11" rx="2"/>')
        parts.append(f'<text x="{end + 6:.1f}" y="{y + 11}">{number_text(seconds)} s</text>')
    said = "; ".join(f"{name} {number_text(seconds)} s" for name, seconds in rows)
    return svg(f"{title}. {said}", parts, WIDTH, len(rows) * tall + 6)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers in [low, high], about as many as asked.

    >>> ticks(0.0, 1.0, 4)
    [0.0, 0.5, 1.0]
    """
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(m for m in (1, 2, 5, 10, 20) if m * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def svg(said: str, parts: Sequence[str], width: float, height: float) -> str:
    """The parts as one image with a spoken description."""
    body = "".join(parts)
    return f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{written(said)}">{body}</svg>'


def written(text: str) -> str:
    """Text as a figure may hold it: characters that act are shown, markup is escaped."""
    return escape(visible(text, 20_000))


def _axis(x0: float, x1: float, left: float, height: float) -> list[str]:
    marks = []
    for tick in ticks(x0, x1, 4):
        at = _scale(tick, x0, x1, left, WIDTH - PAD)
        anchor = "start" if at < left + 8 else "end" if at > WIDTH - PAD - 8 else "middle"
        marks.append(f'<text x="{at:.1f}" y="{height - 6:g}" text-anchor="{anchor}">{tick_text(tick)}</text>')
    return marks


def tick_text(value: float) -> str:
    """A round number without trailing zeros."""
    return f"{value:g}".replace("-", "−")


def _room(least: float, most: float, low: float | None, high: float | None) -> tuple[float, float]:
    """An axis a little wider than the values, within the metric's own bounds where the values are."""
    spread = most - least
    pad = spread * 0.04 if spread > 1e-9 * max(abs(least), abs(most), 1e-3) else max(abs(most) * 0.05, 0.05)
    x0 = least - pad if low is None or least < low else max(least - pad, low)
    x1 = most + pad if high is None or most > high else min(most + pad, high)
    return x0, x1


def _scale(value: float, x0: float, x1: float, left: float, right: float) -> float:
    return left + (value - x0) / (x1 - x0) * (right - left)


def _line(kind: str, x0: float, x1: float, y0: float, y1: float) -> str:
    return f'<line class="{kind}" x1="{x0:.1f}" x2="{x1:.1f}" y1="{y0:.1f}" y2="{y1:.1f}"/>'
