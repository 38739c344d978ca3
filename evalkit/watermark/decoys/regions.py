"""Which parts of an image carry the mark: windows of several sizes and shapes, all of them tested together by decoy keys.

Windows overlap and share codes, so their scores depend on each other. The largest score over all windows is one number for
each key, under any dependence; a window is called where few decoys reach its score in any of their windows. So the
chance that an unmarked image gets any region at all is at most the level (family-wise, single-step maximum).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.watermark.decoys.lean import standardised

Floats = npt.NDArray[np.float64]
SIDES = (0.25, 0.32, 0.4, 0.5, 0.7, 1.0)  # of a square, in sides of the image: 6, 10, 16, 25, 49 and 100 % of its area
SHAPES = (1.0, 2.0, 0.5)  # width by height, at the same area
STEP = 0.2  # of a side, between windows of one size; a whole cell at least
LEAST = 4  # codes of a window that is looked at


@dataclass(frozen=True)
class Window:
    """A part of a map of `rows` by `columns` codes, in codes from the upper left corner; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int
    rows: int
    columns: int

    def known(self) -> npt.NDArray[np.bool_]:
        """bool [rows, columns]: what lies in it."""
        found = np.zeros((self.rows, self.columns), bool)
        found[self.top : self.bottom, self.left : self.right] = True
        return found

    def meets(self, other: Window) -> bool:
        """Whether the two share some area."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    @property
    def share(self) -> float:
        """Its area as a share of the image's."""
        return (self.right - self.left) * (self.bottom - self.top) / (self.rows * self.columns)

    def as_box(self) -> list[float]:
        """[left, top, right, bottom] as shares of the sides."""
        across, down = self.columns, self.rows
        return [
            round(each, 4) for each in (self.left / across, self.top / down, self.right / across, self.bottom / down)
        ]


@dataclass(frozen=True)
class Region:
    """A window that carries the mark (or lacks it), and its p, corrected for all windows."""

    window: Window
    p: float


def windows(rows: int, columns: int) -> tuple[Window, ...]:
    """Squares and oblong windows of every size, along the edges of codes; the smallest first, the whole image last.

    >>> windows(16, 16)[-1].share
    1.0
    """
    sizes = {
        (min(rows, round(side * rows * shape**-0.5)), min(columns, round(side * columns * shape**0.5)))
        for side in SIDES
        for shape in SHAPES
    }
    found = [
        Window(x, y, x + wide, y + high, rows, columns)
        for high, wide in sorted(sizes, key=lambda size: (size[0] * size[1], size))
        if high * wide >= LEAST
        for y in _starts(high, rows)
        for x in _starts(wide, columns)
    ]
    return tuple(found)


def _starts(length: int, side: int) -> list[int]:
    """Where windows of a length begin on a side: the first and the last place, and `STEP` apart between them."""
    steps = 1 + int(np.ceil((side - length) / max(1.0, STEP * length)))
    return list(dict.fromkeys(np.rint(np.linspace(0, side - length, steps)).astype(int).tolist()))


def window_p(scores: npt.NDArray[Any]) -> Floats:
    """p [W] of the real key's scores in W windows, corrected for all of them; scores [W, K + 1], the real key's last."""
    x = np.round(standardised(scores), 3)
    most = x[:, :-1].max(0)
    above = len(most) - np.searchsorted(np.sort(most), x[:, -1], side="left")
    found: Floats = (1.0 + above) / (len(most) + 1)
    return np.where(x.any(1), found, 1.0)


def regions_of(scores: npt.NDArray[Any], tried: Sequence[Window], level: float) -> tuple[Region, ...]:
    """Windows that are called at `level`, the greenest first; of those that overlap, the greenest alone."""
    return chosen(window_p(scores), standardised(scores)[:, -1], tried, level)


def chosen(p: Floats, strength: Floats, tried: Sequence[Window], level: float) -> tuple[Region, ...]:
    """Windows whose p is at most `level`, the strongest first; of those that overlap, the strongest alone."""
    found: list[Region] = []
    for at in np.argsort(-strength, kind="stable").tolist():
        if p[at] <= level and not any(tried[at].meets(each.window) for each in found):
            found.append(Region(tried[at], float(p[at])))
    return tuple(found)
