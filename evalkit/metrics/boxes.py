"""How boxes lie to each other in GenEval's rules."""

from __future__ import annotations

import math

Box = tuple[float, float, float, float]  # left, top, right, bottom
RELATIONS = ("left of", "right of", "above", "below")
_SHARE = 0.5  # of the offset's length that an axis must hold
_NOTHING = 1e-3  # px: offsets that are less are no direction


def overlap(a: Box, b: Box) -> float:
    """Intersection over union in [0, 1]; sides count as difference + 1, as in the official code.

    >>> round(overlap((0, 0, 9, 9), (5, 0, 14, 9)), 4)
    0.3333
    """
    inner = _area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    union = _area(a) + _area(b) - inner
    return inner / union if union else 0.0


def relations(a: Box, b: Box, slack: float = 0.1) -> tuple[str, ...]:
    """The relations in which `a` stands to `b`, in the order of `RELATIONS`; two at once on a diagonal.

    Offsets of the centres shrink by `slack` x the sum of both sizes on each axis, and are divided by the length of the
    offset before it shrank.

    >>> relations((0, 0, 10, 10), (20, 20, 30, 30))
    ('left of', 'above')
    """
    offset = [(a[i] + a[i + 2]) / 2 - (b[i] + b[i + 2]) / 2 for i in (0, 1)]
    room = [slack * (abs(a[i + 2] - a[i]) + abs(b[i + 2] - b[i])) for i in (0, 1)]
    shrunk = [math.copysign(max(abs(o) - r, 0.0), o) for o, r in zip(offset, room, strict=True)]
    if all(abs(s) < _NOTHING for s in shrunk):
        return ()
    length = math.sqrt(offset[0] ** 2 + offset[1] ** 2)
    dx, dy = (s / length for s in shrunk)
    holds = (dx < -_SHARE, dx > _SHARE, dy < -_SHARE, dy > _SHARE)
    return tuple(name for name, there in zip(RELATIONS, holds, strict=True) if there)


def _area(box: Box) -> float:
    return max(box[2] - box[0] + 1, 0.0) * max(box[3] - box[1] + 1, 0.0)
