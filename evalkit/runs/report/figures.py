"""Small pictures of numbers as inline SVG: no library, no network, colours from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 360, 170, 14, 26, 10


@dataclass(frozen=True)
class Point:
    """A run on a plane of two measured values, each with its interval."""

    label: str
    x: float
    y: float
    x_bounds: tuple[float, float] | None = None
    y_bounds: tuple[float, float] | None = None


def histogram(title: str, series: Sequence[tuple[str, npt.NDArray[np.float64]]], bins: int = 24) -> str:
    """Distributions of one metric, an outline a run, with the median of each as a tick."""
    finite = [(name, values[np.isfinite(values)]) for name, values in series]
    finite = [(name, values) for name, values in finite if len(values)]
    if not finite:
        return ""
    low = min(float(v.min()) for _, v in finite)
    high = max(float(v.max()) for _, v in finite)
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    counted = [
        (name, np.histogram(v, bins=bins, range=(low, high))[0] / len(v), float(np.median(v))) for name, v in finite
    ]
    top = max(float(share.max()) for _, share, _ in counted)
    parts = []
    for number, (name, share, median) in enumerate(counted):
        xs = np.repeat(np.linspace(LEFT, WIDTH - LEFT, bins + 1), 2)[1:-1]
        ys = HEIGHT - BOTTOM - np.repeat(share / top, 2) * (HEIGHT - BOTTOM - TOP)
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
        base = HEIGHT - BOTTOM
        area = f"{LEFT},{base} {path} {WIDTH - LEFT},{base}"
        at = LEFT + (median - low) / (high - low) * (WIDTH - 2 * LEFT)
        parts.append(f'<polygon class="area s{number % 8}" points="{area}"/>')
        parts.append(f'<polyline class="line s{number % 8}" points="{path}"><title>{escape(name)}</title></polyline>')
        parts.append(f'<line class="line s{number % 8}" x1="{at:.1f}" x2="{at:.1f}" y1="{base}" y2="{base + 6}"/>')
    said = "; ".join(f"{name}: median {number_text(median)}" for name, _, median in counted)
    return _svg(f"{title}: {said}", parts + _axis(low, high))


def plane(x_title: str, y_title: str, points: Sequence[Point]) -> str:
    """Runs on a plane, such as rate against quality, with interval bars."""
    usable = [p for p in points if math.isfinite(p.x) and math.isfinite(p.y)]
    if len(usable) < 2:
        return ""
    xs = [v for p in usable for v in (p.x, *(p.x_bounds or ()))]
    ys = [v for p in usable for v in (p.y, *(p.y_bounds or ()))]
    x0, x1 = _padded(min(xs), max(xs))
    y0, y1 = _padded(min(ys), max(ys))
    width, height, left, bottom = 720, 320, 52, 40

    def px(x: float) -> float:
        return left + (x - x0) / (x1 - x0) * (width - left - 130)

    def py(y: float) -> float:
        return height - bottom - (y - y0) / (y1 - y0) * (height - bottom - 16)

    parts: list[str] = []
    for tick in _ticks(x0, x1):
        parts.append(f'<line class="grid" x1="{px(tick):.1f}" x2="{px(tick):.1f}" y1="16" y2="{height - bottom}"/>')
        parts.append(f'<text x="{px(tick):.1f}" y="{height - bottom + 16}" text-anchor="middle">{tick:g}</text>')
    for tick in _ticks(y0, y1):
        parts.append(f'<line class="grid" x1="{left}" x2="{width - 130}" y1="{py(tick):.1f}" y2="{py(tick):.1f}"/>')
        parts.append(f'<text x="{left - 6}" y="{py(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for number, p in enumerate(usable):
        colour = f"s{number % 8}"
        if p.x_bounds:
            parts.append(
                f'<line class="line {colour}" x1="{px(p.x_bounds[0]):.1f}" x2="{px(p.x_bounds[1]):.1f}" y1="{py(p.y):.1f}" y2="{py(p.y):.1f}"/>'
            )
        if p.y_bounds:
            parts.append(
                f'<line class="line {colour}" x1="{px(p.x):.1f}" x2="{px(p.x):.1f}" y1="{py(p.y_bounds[0]):.1f}" y2="{py(p.y_bounds[1]):.1f}"/>'
            )
        parts.append(f'<circle class="dot {colour}" cx="{px(p.x):.1f}" cy="{py(p.y):.1f}" r="5"/>')
        parts.append(f'<text class="label" x="{px(p.x) + 9:.1f}" y="{py(p.y) - 7:.1f}">{escape(p.label)}</text>')
    parts.append(f'<text x="{(left + width - 130) / 2}" y="{height - 6}" text-anchor="middle">{escape(x_title)}</text>')
    parts.append(f'<text x="{left}" y="11">{escape(y_title)}</text>')
    said = "; ".join(f"{p.label}: {number_text(p.x)}, {number_text(p.y)}" for p in usable)
    return _svg(f"{y_title} against {x_title}. {said}", parts, width, height, "plane")


def number_text(value: Any) -> str:
    """A number with about four significant digits; words and None as they are."""
    if value is None:
        return "—"
    if isinstance(value, str):
        return {"inf": "∞", "-inf": "−∞"}.get(value, value)
    size = abs(value)
    text = (
        f"{value:,.0f}"
        if size >= 1000
        else f"{value:.2f}"
        if size >= 10
        else f"{value:.3f}"
        if size >= 1
        else f"{value:.4f}"
    )
    return text.replace("-", "−")


def _axis(low: float, high: float) -> list[str]:
    base = HEIGHT - BOTTOM
    line = f'<line class="axis" x1="{LEFT}" x2="{WIDTH - LEFT}" y1="{base}" y2="{base}"/>'
    ends = ((LEFT, "start", low), (WIDTH / 2, "middle", (low + high) / 2), (WIDTH - LEFT, "end", high))
    return [line, *(f'<text x="{x}" y="{HEIGHT - 6}" text-anchor="{a}">{number_text(v)}</text>' for x, a, v in ends)]


def _svg(said: str, parts: Sequence[str], width: int = WIDTH, height: int = HEIGHT, kind: str = "histogram") -> str:
    body = "".join(parts)
    return f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(said)}">{body}</svg>'


def _padded(low: float, high: float) -> tuple[float, float]:
    pad = (high - low) * 0.08 or 0.5
    return low - pad, high + pad


def _ticks(low: float, high: float, about: int = 5) -> list[float]:
    raw = (high - low) / about
    step = 10 ** math.floor(math.log10(raw))
    step *= next(m for m in (1, 2, 5, 10) if m * step >= raw)
    return [round(i * step, 10) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
