"""Scenes of the reference world: things at places, drawn at random for each of GenEval's six tasks."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from evalkit.world.vocabulary import CLASS_NAMES, COLOR_NAMES, GROUNDS, RELATIONS

SIDE = 64  # of an image
STEP = 8  # sprites stand at multiples of this, the stride of world-vq
SPRITE = 24
TASKS: tuple[str, ...] = ("single_object", "two_object", "counting", "colors", "position", "color_attr")
_SLOT = SIDE // 2  # up to four things have a quarter of the image each


@dataclass(frozen=True)
class Thing:
    """An object in a scene: class, colour (None: as it is by nature), and the top left corner of its sprite in pixels."""

    name: str
    color: str | None
    x: int
    y: int


@dataclass(frozen=True)
class Scene:
    """What is in an image. `relation`: of the first thing to the second, in position scenes."""

    task: str
    ground: str
    things: tuple[Thing, ...]
    relation: str | None = None


def draw_scene(task: str, rng: Random) -> Scene:
    """A random scene of `task`; its things never overlap."""
    ground = rng.choice(tuple(GROUNDS))
    if task == "counting":
        name = rng.choice(CLASS_NAMES)
        slots = rng.sample(range(4), rng.choice((2, 2, 3, 3, 3, 4)))
        return Scene(task, ground, tuple(_in_slot(name, None, slot, rng) for slot in sorted(slots)))
    if task in ("single_object", "colors"):
        color = rng.choice(COLOR_NAMES) if task == "colors" else None
        cells = (SIDE - SPRITE) // STEP
        place = rng.randint(0, cells) * STEP, rng.randint(0, cells) * STEP
        return Scene(task, ground, (Thing(rng.choice(CLASS_NAMES), color, *place),))
    first, second = rng.sample(CLASS_NAMES, 2)
    colors: tuple[str | None, ...] = (None, None)
    if task == "color_attr":
        colors = tuple(rng.sample(COLOR_NAMES, 2))
    relation = rng.choice(tuple(RELATIONS)) if task == "position" else None
    slots = _related(relation, rng) if relation else rng.sample(range(4), 2)
    things = (_in_slot(first, colors[0], slots[0], rng), _in_slot(second, colors[1], slots[1], rng))
    return Scene(task, ground, things, relation)


def _related(relation: str, rng: Random) -> list[int]:
    """Slots of two things that stand in `relation`; slots are numbered row by row."""
    side = rng.randint(0, 1)
    return {
        "left of": [2 * side, 2 * side + 1],
        "right of": [2 * side + 1, 2 * side],
        "above": [side, side + 2],
        "below": [side + 2, side],
    }[relation]


def _in_slot(name: str, color: str | None, slot: int, rng: Random) -> Thing:
    spare = (_SLOT - SPRITE) // STEP
    x, y = (slot % 2 * _SLOT + rng.randint(0, spare) * STEP, slot // 2 * _SLOT + rng.randint(0, spare) * STEP)
    return Thing(name, color, x, y)
