"""Both sets on the two axes along which the reference varies most, as inline SVG; shown images are linked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.metrics.rows import Array
from evalkit.pages.curves import COLOURS, LINE, legend
from evalkit.pages.figures import svg, written

WIDTH, HEIGHT, PAD = 400.0, 300.0, 12.0
MOST = 600  # dots of each set


@dataclass(frozen=True)
class Pin:
    """A shown image on the map: where it lies, the set it is of, what it is called, and the figure it leads to."""

    x: float
    y: float
    side: str
    name: str
    target: str


def score_map(points: Mapping[str, Array], pins: Sequence[Pin]) -> str:
    """Dots of both sets, at most 600 each, with the shown images as larger dots that lead to them; empty without points."""
    known = {side: each[np.isfinite(each).all(1)] for side, each in points.items()}
    known = {side: each for side, each in known.items() if len(each)}
    if not known or sum(map(len, known.values())) < 3:
        return ""
    every = np.concatenate(list(known.values()))
    low, high = every.min(0), every.max(0)
    room = np.maximum(high - low, 1e-12)

    def at(x: float, y: float) -> tuple[float, float]:
        across, up = (np.array([x, y]) - low) / room
        top = PAD + LINE * len(known)
        return PAD + float(across) * (WIDTH - 2 * PAD), HEIGHT - PAD - float(up) * (HEIGHT - PAD - top)

    parts = legend(PAD, [f"{side}, {len(each):,}" for side, each in known.items()])
    for colour, each in zip(COLOURS, known.values(), strict=False):
        few = each[:: max(1, -(-len(each) // MOST))]
        dots = "".join("M{:.1f} {:.1f}h0".format(*at(*each)) for each in few.tolist())
        parts.append(f'<path d="{dots}" stroke="{colour}" stroke-width="4" stroke-linecap="round" opacity=".65"/>')
    colours = dict(zip(known, COLOURS, strict=False))
    for pin in pins:
        if np.isfinite([pin.x, pin.y]).all() and pin.side in colours:
            x, y = at(pin.x, pin.y)
            dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colours[pin.side]}" stroke="var(--card)" stroke-width="2"/>'
            parts.append(f'<a href="#{pin.target}"><title>{written(pin.name)}</title>{dot}</a>')
    said = ", ".join(f"{len(each):,} {side}" for side, each in known.items())
    figure = svg(f"Map of {said}", parts, WIDTH, HEIGHT)
    return figure.replace('role="img"', 'role="group"')  # its larger dots are links
