"""Scenes as rows of whole numbers, so that a batch is one tensor that travels to the device that draws it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.world.second.scene import Scene
from evalkit.world.second.vocabulary import CLASS_NAMES, COLOR_NAMES, GROUNDS, STYLE_NAMES

MOST_THINGS = 5
HEAD = 3  # seed, ground, style
FIELDS = 6  # of a thing: class, colour (0: natural), x, y, size, angle
ROW = HEAD + FIELDS * MOST_THINGS
NOTHING = (-1,) + (0,) * (FIELDS - 1)
_COLOR: dict[str | None, int] = {None: 0, **{name: i for i, name in enumerate(COLOR_NAMES, start=1)}}
_CLASS = {name: i for i, name in enumerate(CLASS_NAMES)}


def pack(scenes: Sequence[Scene]) -> Tensor:
    """int32 [scenes, ROW]. Raises `EvalkitError` for a scene of more than `MOST_THINGS` things."""
    return torch.tensor([_row(scene) for scene in scenes], dtype=torch.int32).view(-1, ROW)


def things_of(rows: Tensor) -> Tensor:
    """The things of rows [B, ROW] as [B, MOST_THINGS, FIELDS]; class -1 is none."""
    return rows[:, HEAD:].reshape(len(rows), MOST_THINGS, FIELDS)


def _row(scene: Scene) -> list[int]:
    if len(scene.things) > MOST_THINGS:
        raise EvalkitError(f"a scene holds at most {MOST_THINGS} things; {len(scene.things)} given")
    row = [scene.seed, GROUNDS.index(scene.ground), STYLE_NAMES.index(scene.style)]
    for t in scene.things:
        row += [_CLASS[t.name], _COLOR[t.color], t.x, t.y, t.size, t.angle]
    return row + [*NOTHING] * (MOST_THINGS - len(scene.things))
