"""Curves as inline SVG: shares of found images over an attack's strength, and over what the attack cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.pages.figures import svg, tick_text, ticks, written

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 380, 230, 40, 14, 12, 40  # user units
STYLES = 6  # colours and dashes; further contenders repeat them


@dataclass(frozen=True)
class Dot:
    """A share with its interval at x; `said` is what a pointer over it shows."""

    x: float
    y: float
    low: float
    high: float
    said: str


def family(attack: str) -> tuple[str, float] | None:
    """(name, strength) of an attack with one number first, such as jpeg:75; None for chains and others.

    >>> family("jpeg:75"), family("flip"), family("crop:0.8+jpeg:75")
    (('jpeg', 75.0), None, None)
    """
    if "+" in attack:
        return None
    name, _, rest = attack.partition(":")
    first, _, after = rest.partition(":")
    try:
        return (f"{name}:…:{after}" if after else name), float(first)
    except ValueError:
        return None


def families(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Attacks of one kind at two strengths or more, by kind, in the order of strength."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        parts = family(row["attack"])
        if parts is not None:
            found.setdefault(parts[0], {})[row["attack"]] = parts[1]
    return {name: sorted(each, key=each.__getitem__) for name, each in found.items() if len(each) > 1}


def chart(
    x_title: str, y_title: str, series: Mapping[str, Sequence[Dot]], styles: Mapping[str, int], *, line: bool
) -> str:
    """SVG of shares (0 to 1) with intervals, one style a series; empty where there is nothing to draw."""
    dots = [dot for each in series.values() for dot in each]
    if not dots:
        return ""
    x0, x1 = min(dot.x for dot in dots), max(dot.x for dot in dots)
    room = (x1 - x0) * 0.06 or max(abs(x0) * 0.1, 1.0)
    x0, x1 = x0 - room, x1 + room
    floor = HEIGHT - BOTTOM

    def px(x: float) -> float:
        return LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)

    def py(y: float) -> float:
        return floor - y * (floor - TOP)

    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py(tick):.1f}" y2="{py(tick):.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{py(tick) + 4:.1f}" text-anchor="end">{tick_text(tick)}</text>')
    for tick in ticks(x0, x1):
        parts.append(f'<text x="{px(tick):.1f}" y="{floor + 15}" text-anchor="middle">{tick_text(tick)}</text>')
    parts.append(
        f'<text class="name" x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{written(x_title)}</text>'
    )
    for name, each in series.items():
        style = f"s{styles[name] % STYLES}"
        ordered = sorted(each, key=lambda dot: dot.x)
        if line and len(ordered) > 1:
            way = " ".join(f"{px(dot.x):.1f},{py(dot.y):.1f}" for dot in ordered)
            parts.append(f'<polyline class="curve {style}" points="{way}"/>')
        for dot in ordered:
            x = px(dot.x) + (styles[name] - 1) * 1.5  # so that equal values are seen
            parts.append(f"<g><title>{written(dot.said)}</title>")
            parts.append(
                f'<line class="reach {style}" x1="{x:.1f}" x2="{x:.1f}" y1="{py(dot.low):.1f}" y2="{py(dot.high):.1f}"/>'
            )
            parts.append(f'<circle class="spot {style}" cx="{x:.1f}" cy="{py(dot.y):.1f}" r="3"/></g>')
    return svg(f"{y_title} over {x_title}", parts, WIDTH, HEIGHT)


CSS = """
.curves{display:grid;grid-template-columns:repeat(auto-fit,minmax(18rem,1fr));gap:1.2rem}
.curves figure{margin:0}.curves svg{width:100%;height:auto}
.curve{fill:none;stroke-width:1.8}.reach{stroke-width:1;opacity:.55}.spot{stroke:none}
svg .grid{stroke:var(--hair)}.legend{display:flex;flex-wrap:wrap;gap:.4rem 1.2rem;padding:0;list-style:none}
ul.legend li svg{display:inline-block;width:2.2rem;height:.8rem;vertical-align:middle;margin-right:.4rem}
.s0{--c:var(--accent)}.s1{--c:#c2410c}.s2{--c:#0f8a5f}.s3{--c:#9333ea}.s4{--c:#8a6d00}.s5{--c:#d6336c}
.curve,.reach{stroke:var(--c)}.spot{fill:var(--c)}
.s1.curve{stroke-dasharray:6 3}.s2.curve{stroke-dasharray:2 3}.s3.curve{stroke-dasharray:8 3 2 3}.s4.curve{stroke-dasharray:4 2}
"""
