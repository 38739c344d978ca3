"""What a detector tries besides the image itself, spelled before anything is looked at, and what each test costs.

A search is a union (`,`) of products (`/`) of parts. With V views besides the image itself, p of the image is doubled, and p
of each other view is multiplied by 2 V: Bonferroni with half of the error for the image as it came, so that an image
that nobody edited loses a factor of two to a search of any size. It holds for views that share anything. Views that change
what was found by a template share a quarter of the error, and all others the other quarter.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.watermark.detection.views import View

SCALES = (0.5, 0.75, 0.8, 0.9, 1.1, 1.25)
ANGLES = (-15, -10, -5, -2, 2, 5, 10, 15)
GAINS = (0.62, 0.68, 0.75, 0.83, 0.91, 1.1, 1.21, 1.33, 1.46)
ROLLS = 2  # cells to each side
TEMPLATED = "template,template/light"  # of images that have a template: nothing of it is looked at in those without
MOST = 30_000  # views of a search
NAMES = (
    "flip, offsets[:STRIDE], rolls[:CELLS], scales[:0.8+0.9], angles[:-3+3], gains[:0.8+1.25], contrasts[:0.8+1.25], "
    "shifts, crops, turns, light, template, joined by / (together) and , (either)"
)
SHORT = {  # names of whole searches
    "shifts": "offsets/rolls",
    "crops": "scales:0.98+0.96+0.94+0.92+0.9+0.88+0.86+0.84+0.82+0.8/offsets/rolls",
    "turns": "angles:-3+-2+-1+1+2+3/offsets/rolls:1",
    "light": "gains,contrasts",
}


def read_search(spelling: str, cell: int, *, placed: bool = True) -> tuple[View, ...]:
    """The views of a spelling for a tokenizer whose cells are `cell` pixels wide; "none" gives none.

    `placed`: whether the mark knows the places of codes; for others whole cells do not matter, and rolls are left out.
    Raises `EvalkitError` for an unknown part, and for more than `MOST` views.

    >>> len(read_search("flip,offsets:4", 16)), len(read_search("flip/offsets:4/rolls:1", 16))
    (16, 144)
    """
    views: list[View] = []
    for asked in spelling.replace(" ", "").split(","):
        views += _product(asked, cell, placed=placed)
    found = dict.fromkeys(view for view in views if view != View())
    _check_count(len(found))
    place = {base: at for at, base in enumerate(dict.fromkeys(view.encoded for view in found))}
    return tuple(sorted(found, key=lambda view: place[view.encoded]))  # views that share an encoding stand together


def prices(views: Sequence[View]) -> npt.NDArray[np.float64]:
    """By how much p is multiplied for the image itself, and for each of the `views` tried besides: [1 + views].

    >>> prices([]).tolist(), prices(read_search("template,template/gains:0.8+1.25", 8)).tolist()
    ([1.0], [2.0, 4.0, 8.0, 8.0])
    """
    behind = np.array([view.behind for view in views], dtype=bool)
    groups = 1 + (0 < behind.sum() < len(views))
    alike = np.where(behind, behind.sum(), (~behind).sum())
    return np.array([2.0 if len(views) else 1.0, *(2.0 * groups * alike)])


def _product(spelling: str, cell: int, *, placed: bool) -> list[View]:
    """The views of parts that are undone together, each part with all of its values."""
    parts = []
    for part in spelling.split("/"):
        whole = SHORT.get(part)
        if whole is None:
            parts.append(list(_part(part, cell, placed=placed)))
        else:
            parts.append([view for each in whole.split(",") for view in _product(each, cell, placed=placed)])
    _check_count(math.prod(len(each) for each in parts))
    found = []
    for each in itertools.product(*parts):
        view = View()
        for other in each:
            view = view.with_changes(other)
        found.append(view)
    return found


def _part(spelling: str, cell: int, *, placed: bool) -> Iterator[View]:
    """The values of one part; those of offsets and rolls include none at all."""
    name, _, values = spelling.partition(":")
    try:
        if name in ("flip", "template") and not values:
            yield View(**{name: True})
        elif name == "offsets":
            stride = int(values) if values else max(1, cell // 8)  # farther beside the grid little is read
            steps = [at if at <= cell // 2 else at - cell for at in range(0, cell, stride)]  # a stride below 1 raises
            yield from (View(dx=dx, dy=dy) for dy in steps for dx in steps)
        elif name == "rolls":
            reach = range(1)
            if placed:
                most = int(values) if values else ROLLS
                _check_count(abs(most))
                reach = range(-most, most + 1)
            yield from (View(right=right, down=down) for down in reach for right in reach)
        elif name == "scales":
            yield from (View(scale=each) for each in _numbers(values, SCALES) if 0.1 <= each <= 4)
        elif name == "angles":
            yield from (View(angle=each) for each in _numbers(values, ANGLES))
        elif name == "gains":
            yield from (View(gain=each) for each in _numbers(values, GAINS) if 0.1 <= each <= 10)
        elif name == "contrasts":
            yield from (View(contrast=each) for each in _numbers(values, GAINS) if 0.1 <= each <= 10)
        elif name in ("none", ""):
            yield View()
        else:
            raise ValueError
    except ValueError:
        raise _unknown(spelling) from None


def _check_count(views: int) -> None:
    if views > MOST:
        raise EvalkitError(
            f"a search of {views:,} views is too large, {MOST:,} are the most. Leave out a part, or give a longer stride, "
            "such as offsets:4"
        )


def _numbers(values: str, default: Sequence[float]) -> Sequence[float]:
    return [float(value) for value in values.split("+")] if values else default


def _unknown(spelling: str) -> EvalkitError:
    return EvalkitError(f"there is no search called {spelling!r}; give none, or some of {NAMES}")
