"""Scenes of the second edition: things at any pixel, of any size, turned a little, drawn at random for twelve tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from evalkit.errors import EvalkitError
from evalkit.world.scene import TASKS as FIRST_TASKS
from evalkit.world.second.vocabulary import CLASS_NAMES, COLOR_NAMES, GROUNDS, PHOTO, RELATIONS, STYLE_NAMES

SIDE = 96  # of an image: 12 x 12 codes of 8 px
ANGLE = 12  # degrees that a thing is turned at most, either way
TASKS: tuple[str, ...] = (
    *FIRST_TASKS,
    *("mixed_counts", "color_natural", "three_objects", "negation", "size", "style"),
)
_SIZES = {
    1: (26, 52),
    2: (24, 40),
    3: (24, 32),
    4: (22, 28),
    5: (22, 26),
}  # px of the longest side, by number of things
_BIG, _SMALL = (40, 50), (22, 28)
_ASIDE = 0.4  # how far a thing stands off the axis of its relation, of the distance along it
_CALM = ("plain", "gradient", "wooden")
_GROUNDS_OF = dict.fromkeys(("pop art", "neon", "sketch", "pixel art"), _CALM)  # a thing would drown in texture there
_TRIES = 40  # places for a thing before the whole layout starts again


@dataclass(frozen=True)
class Thing:
    """An object in a scene: class, colour (None: its natural ones), centre and longest side in pixels, angle in degrees."""

    name: str
    color: str | None
    x: int
    y: int
    size: int
    angle: int = 0


@dataclass(frozen=True)
class Scene:
    """What is in an image. `relation`: of the first thing to the second. `absent`: classes that a caption excludes.

    `seed` in [0, 2^31) decides all that no caption speaks of: tones and texture of the ground, light, hue, grain.
    """

    task: str
    ground: str
    style: str
    things: tuple[Thing, ...]
    seed: int
    relation: str | None = None
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Plan:
    """Things before they have places: class, colour and range of sizes; the relation of the first to the second."""

    looks: tuple[tuple[str, str | None], ...]
    sizes: tuple[tuple[int, int], ...] = ()
    relation: str | None = None
    absent: tuple[str, ...] = ()


def draw_scene(task: str, rng: Random) -> Scene:
    """A random scene of `task`; its things never overlap. Raises `EvalkitError` for an unknown task."""
    if task not in TASKS:
        raise EvalkitError(f"the reference world has no task {task!r}; its tasks: {', '.join(TASKS)}")
    plan = _plan(task, rng)
    style = rng.choice(STYLE_NAMES[1:]) if task == "style" else PHOTO
    sizes = plan.sizes or (_SIZES[len(plan.looks)],) * len(plan.looks)
    things = _placed(plan, sizes, rng)
    return Scene(
        task,
        rng.choice(_GROUNDS_OF.get(style, GROUNDS)),
        style,
        things,
        rng.getrandbits(31),
        plan.relation,
        plan.absent,
    )


def crowded(rng: Random) -> Scene:
    """Three to five unlike things, coloured or not, in any style: what networks that read images learn from."""
    number = rng.choice((3, 4, 4, 5))
    looks = tuple((rng.choice(CLASS_NAMES), rng.choice((None, *COLOR_NAMES))) for _ in range(number))
    style = PHOTO if rng.random() < 0.7 else rng.choice(STYLE_NAMES[1:])
    if style != PHOTO:
        looks = tuple((name, None) for name, _ in looks)
    things = _placed(_Plan(looks), (_SIZES[number],) * number, rng)
    return Scene("crowded", rng.choice(_GROUNDS_OF.get(style, GROUNDS)), style, things, rng.getrandbits(31))


def _plan(task: str, rng: Random) -> _Plan:
    names = rng.sample(CLASS_NAMES, 3)
    first, second, third = ((name, None) for name in names)
    if task == "counting":
        return _Plan((first,) * rng.choice((2, 2, 3, 3, 4, 5)))
    if task == "mixed_counts":
        more = rng.choice(((1, 2), (2, 1), (2, 2), (1, 3), (3, 1), (2, 3), (3, 2)))
        return _Plan((first,) * more[0] + (second,) * more[1])
    if task == "three_objects":
        return _Plan((first, second, third))
    if task == "negation":
        return _Plan((first, third) if rng.random() < 0.5 else (first,), absent=(names[1],))
    if task == "style":
        return _Plan((first,) if rng.random() < 0.7 else (first, second))
    if task == "size":
        return _Plan((first, second), sizes=tuple(rng.sample((_BIG, _SMALL), 2)))
    a, b = rng.sample(COLOR_NAMES, 2)
    coloured: dict[str, tuple[tuple[str, str | None], ...]] = {
        "single_object": (first,),
        "colors": ((names[0], a),),
        "two_object": (first, second),
        "position": (first, second),
        "color_attr": ((names[0], a), (names[1], b)),
        "color_natural": ((names[0], a), second) if rng.random() < 0.5 else (first, (names[1], b)),
    }
    return _Plan(coloured[task], relation=rng.choice(tuple(RELATIONS)) if task == "position" else None)


def _placed(plan: _Plan, sizes: Sequence[tuple[int, int]], rng: Random) -> tuple[Thing, ...]:
    while True:
        things: list[Thing] = []
        for (name, color), bounds in zip(plan.looks, sizes, strict=True):
            size, angle = rng.randint(*bounds), rng.randint(-ANGLE, ANGLE)
            low, high = (size + 1) // 2, SIDE - (size + 1) // 2
            for _ in range(_TRIES):
                thing = Thing(name, color, rng.randint(low, high), rng.randint(low, high), size, angle)
                if all(_apart(thing, other) for other in things) and (not things or _related(things[-1], thing, plan)):
                    things.append(thing)
                    break
            else:
                break
        if len(things) == len(plan.looks):
            return tuple(things)


def _apart(a: Thing, b: Thing) -> bool:
    return 2 * max(abs(a.x - b.x), abs(a.y - b.y)) >= a.size + b.size


def _related(first: Thing, second: Thing, plan: _Plan) -> bool:
    if plan.relation is None:
        return True
    right, down = second.x - first.x, second.y - first.y
    along, aside = {
        "left of": (right, down),
        "right of": (-right, down),
        "above": (down, right),
        "below": (-down, right),
    }[plan.relation]
    return 2 * along >= first.size + second.size and abs(aside) <= _ASIDE * along


def pairs_of(scene: Scene) -> frozenset[tuple[str, str]]:
    """The pairs of unlike classes in a scene and its exclusions, each in alphabetical order."""
    names = sorted({t.name for t in scene.things} | set(scene.absent))
    return frozenset((a, b) for i, a in enumerate(names) for b in names[i + 1 :])
