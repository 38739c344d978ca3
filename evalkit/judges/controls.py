"""Controls of a judge: images of other prompts and blank images must score less than the right ones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.stats.paired import Difference, paired_difference


@dataclass(frozen=True)
class Control:
    """`drop`: by how much the scores of the right images exceed those of the control; `alarm`: why not to trust them."""

    name: str
    drop: Difference
    alarm: str


def shuffled_pairs(prompts: Sequence[str], seed: int = 0) -> list[int]:
    """For each item another one whose image takes its place, never one of the same prompt.

    Raises `EvalkitError` where more than half of the items share a prompt.

    >>> shuffled_pairs(["a", "a", "b", "b"])[0] in (2, 3)
    True
    """
    count = Counter(prompts)
    if not count or max(count.values()) > len(prompts) / 2:
        raise EvalkitError("more than half of the items share one prompt. Give items of several prompts")
    rng = np.random.default_rng(seed)
    rank = dict(zip(count, rng.permutation(len(count)).tolist(), strict=True))
    noise = rng.permutation(len(prompts)).tolist()
    order = sorted(range(len(prompts)), key=lambda i: (rank[prompts[i]], noise[i]))
    step = max(count.values())  # blocks of equal prompts are no longer than this, so a shift leaves each of them
    moved = [0] * len(order)
    for place, item in enumerate(order):
        moved[item] = order[(place + step) % len(order)]
    return moved


def blank_like(image: Pixels, grey: int = 127) -> Pixels:
    """An image of the same size that shows nothing."""
    return np.full_like(image, grey)


def check_control(
    name: str,
    right: Sequence[float | None],
    control: Sequence[float | None],
    *,
    clusters: Sequence[object] | None = None,
) -> Control:
    """Whether `right` scores exceed those of the `control` [n], item by item; None is a lost reply.

    Scores are taken to lie between 0 and 1, or as far as one was seen.

    Raises `EvalkitError` where the lengths differ.
    """
    if len(right) != len(control):
        raise EvalkitError(f"{len(right)} and {len(control)} scores were given. Give both of the same items")
    a, b = ([math.nan if value is None else value for value in each] for each in (right, control))
    known = [value for value in (*right, *control) if value is not None]
    reach = (min(0.0, *known), max(1.0, *known)) if known else (0.0, 1.0)
    drop = paired_difference(a, b, clusters=None if clusters is None else [str(c) for c in clusters], range=reach)
    low = drop.estimate.low
    if low is not None and low > 0:
        return Control(name, drop, "")
    return Control(name, drop, f"The judge does not score {name} surely lower than the right images. Do not use it.")
