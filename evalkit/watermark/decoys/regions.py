"""Which parts of an image carry the mark: windows of several sizes, all of them tested together by decoy keys.

Windows overlap and share codes, so their scores depend on each other. The largest score over all windows is one number for
each key, under any dependence; a window is called where few decoys reach its score in any of their windows. So the
chance that an unmarked image gets any region at all is at most the level (family-wise, single-step maximum).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.watermark.decoys.lean import standardised

Floats = npt.NDArray[np.float64]
SIDES = (0.25, 0.32, 0.4, 0.5, 0.7, 1.0)  # of a window, in sides of the image: 6, 10, 16, 25, 49 and 100 % of its area
FINE = 48  # grid on which windows begin and end; 8, 16 and 24 codes a side divide it
LEAST = 4  # codes of a window that is looked at


@dataclass(frozen=True)
class Window:
    """A part of the image, in units of `FINE` from the upper left corner; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    def known(self) -> npt.NDArray[np.bool_]:
        """bool [FINE, FINE]: what lies in it."""
        found = np.zeros((FINE, FINE), bool)
        found[self.top : self.bottom, self.left : self.right] = True
        return found

    def meets(self, other: Window) -> bool:
        """Whether the two share some area."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    @property
    def share(self) -> float:
        """Its area as a share of the image's."""
        return (self.right - self.left) * (self.bottom - self.top) / FINE**2

    def as_box(self) -> list[float]:
        """[left, top, right, bottom] as shares of the sides."""
        return [round(each / FINE, 4) for each in (self.left, self.top, self.right, self.bottom)]


@dataclass(frozen=True)
class Region:
    """A window that carries the mark, and its p, corrected for all windows."""

    window: Window
    p: float


def windows() -> tuple[Window, ...]:
    """Squares of every size, a half of their side apart at most; the whole image is the last.

    >>> windows()[-1].share
    1.0
    """
    found: list[Window] = []
    for side in SIDES:
        width = round(side * FINE)
        steps = 1 + int(np.ceil((FINE - width) / (width / 2.5)))
        starts = np.unique(np.rint(np.linspace(0, FINE - width, steps)).astype(int)).tolist()
        found += [Window(x, y, x + width, y + width) for y in starts for x in starts]
    return tuple(found)


def window_p(scores: npt.NDArray[Any]) -> Floats:
    """p [W] of the real key's scores in W windows, corrected for all of them; scores [W, K + 1], the real key's last."""
    x = np.round(standardised(scores), 3)
    most = x[:, :-1].max(0)
    above = len(most) - np.searchsorted(np.sort(most), x[:, -1], side="left")
    found: Floats = (1.0 + above) / (len(most) + 1)
    return np.where(x.any(1), found, 1.0)


def regions_of(scores: npt.NDArray[Any], tried: tuple[Window, ...], level: float) -> tuple[Region, ...]:
    """Windows that are called at `level`, the greenest first; of those that overlap, the greenest alone."""
    p, green = window_p(scores), standardised(scores)[:, -1]
    found: list[Region] = []
    for at in np.argsort(-green, kind="stable").tolist():
        if p[at] <= level and not any(tried[at].meets(each.window) for each in found):
            found.append(Region(tried[at], float(p[at])))
    return tuple(found)
