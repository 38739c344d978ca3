"""Both sets on the two axes along which the reference varies most, as inline SVG; shown images are linked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.metrics.rows import Array
from evalkit.pages.figures import svg, written

WIDTH, HEIGHT, PAD = 380.0, 270.0, 12.0
MOST = 600  # dots of each set
SHAPES = {  # of a shown image: the sets differ in more than their colour
    "s0": '<circle class="spot s0" cx="{:.1f}" cy="{:.1f}" r="5"/>',
    "s1": '<path class="spot s1" d="M{:.1f} {:.1f}m-5 -5h10v10h-10z"/>',
}


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
        return PAD + float(across) * (WIDTH - 2 * PAD), HEIGHT - PAD - float(up) * (HEIGHT - 2 * PAD)

    parts, styles = [], {side: f"s{number}" for number, side in enumerate(known)}
    for side, each in known.items():
        few = each[:: max(1, -(-len(each) // MOST))]
        dots = "".join("M{:.1f} {:.1f}h0".format(*at(*each)) for each in few.tolist())
        parts.append(f'<path class="dots {styles[side]}" d="{dots}"/>')
    for pin in pins:
        if np.isfinite([pin.x, pin.y]).all() and pin.side in styles:
            x, y = at(pin.x, pin.y)
            dot = SHAPES[styles[pin.side]].format(x, y)
            parts.append(f'<a href="#{pin.target}"><title>{written(pin.name)}</title>{dot}</a>')
    said = ", ".join(f"{len(each):,} {side}" for side, each in known.items())
    figure = svg(f"Map of {said}", parts, WIDTH, HEIGHT)
    return figure.replace('role="img"', 'role="group"')  # its larger dots are links
