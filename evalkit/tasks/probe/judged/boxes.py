"""Scores of T2I-CompBench from what a detector finds: places of two objects, and numbers of objects.

Source: Karine-Huang/T2I-CompBench 1b70949, UniDet_eval/2D_spatial_eval.py and numeracy_eval.py, as facts: that part of
the repository is under NVIDIA's non-commercial licence. Its boxes lie in images of at most 480 px.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evalkit.encoders.detectors.detection import Boxes

SURE = 0.5  # from which score a detection counts, where the detector is not the official one
SIDE, LONGEST = 479, 480  # to which the official script brings images: the shorter side, and the longer one at most
NEAR, OVERLAP, SAME = 150.0, 0.1, 0.9
BESIDE = ("next to", "on side of", "near")
PEOPLE = ("girl", "boy", "man", "woman")
RENAMED = {**dict.fromkeys(PEOPLE, "person"), "ship": "boat", "telivision": "tv", "goldfish": "fish"}
RENAMED |= {"painting": "picture"}
Rule = Callable[[Boxes, Mapping[str, Any], tuple[int, int]], float | None]


def spatial(boxes: Boxes, fields: Mapping[str, Any], size: tuple[int, int]) -> float | None:
    """A quarter of each object's sureness and half of how well their places fit; 0 below a half in sum."""
    first, last = (("person" if name in PEOPLE else name) for name in (fields["first"], fields["last"]))
    found = [next((each for each in boxes if each.label == name), None) for name in (first, last)]
    one, two = found
    if one is None or two is None:
        return 0.0  # at most a quarter
    scale = _scale(size)
    places = [tuple(side * by for side, by in zip(each.box, scale * 2, strict=True)) for each in (one, two)]
    score = 0.25 * one.score + 0.25 * two.score + fits(str(fields["relation"]), *places) / 2
    return score if score >= 0.5 else 0.0


def fits(relation: str, one: Sequence[float], two: Sequence[float]) -> float:
    """How well (0 to 1) the box `one` lies where `relation` says it lies to `two`.

    >>> fits("on the left of", (0, 0, 10, 10), (50, 0, 60, 10)), fits("next to", (0, 0, 2, 2), (300, 400, 302, 402))
    (1.0, 0.375)
    """
    across, down = ((two[i] + two[i + 2]) / 2 - (one[i] + one[i + 2]) / 2 for i in (0, 1))
    if relation in BESIDE:
        if abs(across) < NEAR or abs(down) < NEAR:
            return 1.0
        return NEAR / max(abs(across), abs(down))
    ways = {"right": -across, "left": across, "bottom": -down, "top": down}
    way = next((name for name in ways if relation == f"on the {name} of"), None)
    other = down if way in ("left", "right") else across
    if way is None or ways[way] <= 0 or ways[way] <= abs(other):
        return 0.0
    shared = _shared(one, two)
    return 1.0 if shared < OVERLAP else OVERLAP / shared


def numeracy(boxes: Boxes, fields: Mapping[str, Any], size: tuple[int, int]) -> float | None:
    """For each kind that is wanted, half of its share for being there and half for its number; None where none is."""
    wanted = fields["wanted"]
    if not wanted:
        return None
    labels, score = _distinct(boxes, _scale(size)), 0.0
    for name, count in wanted:
        name = RENAMED.get(name, name)
        if name not in labels:
            labels = [name if name in label else label for label in labels]
        score += 0.5 * (name in labels) + 0.5 * (name in labels and labels.count(name) == count)
    return score / len(wanted)


RULES: Mapping[str, Rule] = {"spatial": spatial, "numeracy": numeracy}


def sure(boxes: Boxes, least: float) -> Boxes:
    """The detections of a score from `least`, the surest first."""
    return tuple(sorted((each for each in boxes if each.score >= least), key=lambda each: -each.score))


def _distinct(boxes: Boxes, scale: tuple[float, float]) -> list[str]:
    """Labels of detections, those left out whose box is as good as that of another one of their label."""
    kept: list[tuple[str, tuple[float, ...]]] = []
    for each in boxes:
        box = tuple(side * by for side, by in zip(each.box, scale * 2, strict=True))
        if not any(label == each.label and _one_thing(box, other) for label, other in kept):
            kept.append((each.label, box))
    return [label for label, _ in kept]


def _one_thing(one: Sequence[float], two: Sequence[float]) -> bool:
    """Whether two boxes overlap by nine tenths of both together, or of either; sides count their last pixel too."""
    width, height = (max(0.0, min(one[i + 2], two[i + 2]) - max(one[i], two[i]) + 1) for i in (0, 1))
    inside = width * height
    a, b = ((box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (one, two))
    return inside / (a + b - inside) > SAME or inside / a > SAME or inside / b > SAME


def _shared(one: Sequence[float], two: Sequence[float]) -> float:
    """Intersection over union; 0 for boxes without area."""
    width, height = (max(0.0, min(one[i + 2], two[i + 2]) - max(one[i], two[i])) for i in (0, 1))
    inside = width * height
    whole = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, two)) - inside
    return inside / whole if whole else 0.0


def _scale(size: tuple[int, int]) -> tuple[float, float]:
    """(across, down): factors from an image of [height, width] to that which the official script looks at."""
    height, width = size
    short, long = SIDE, int(SIDE * max(size) / min(size))
    if long > LONGEST:
        short, long = int(LONGEST * short / long), LONGEST
    new = (short, long) if height <= width else (long, short)
    return new[1] / width, new[0] / height
