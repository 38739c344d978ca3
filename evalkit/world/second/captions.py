"""The language of the second edition: scenes into captions, what they demand, and the held-out split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import groupby
from random import Random

from evalkit.world.captions import Demand, Wanted
from evalkit.world.judge import NATURAL
from evalkit.world.second.scene import Scene, pairs_of
from evalkit.world.second.vocabulary import (
    COUNTS,
    JOINTS,
    PHOTO,
    RELATIONS,
    SIZES,
    STYLES,
    WITHOUT,
    classes_of,
    hypernyms_of,
    misspelt,
    named,
)
from evalkit.world.vocabulary import with_article

_GENERAL = {"single_object", "colors", "counting"}  # tasks whose things may be called by a hypernym
HELD_PAIRS = 38  # of 256 digests: about 15 % of the 1,128 pairs
_HELD_WORDINGS = 51


def demand_of(scene: Scene) -> Demand:
    """What a caption of `scene` asks for, with the classes' own names and the ground left open."""
    things = scene.things[:1] if scene.task == "negation" else scene.things
    wanted = [Wanted(name, len(list(same))) for name, same in groupby(t.name for t in things)]
    if scene.task in ("colors", "color_attr", "color_natural"):
        left = NATURAL if scene.task == "color_natural" else None
        wanted = [Wanted(t.name, 1, t.color or left) for t in things]
    if scene.task == "size":
        order = ("big", "small") if things[0].size > things[1].size else ("small", "big")
        wanted = [Wanted(t.name, 1, size=size) for t, size in zip(things, order, strict=True)]
    style = scene.style if scene.style != PHOTO else None
    return Demand(scene.task, tuple(wanted), scene.relation, None, scene.absent, style)


def describe(scene: Scene, rng: Random, *, variety: float = 1.0) -> tuple[str, Demand]:
    """(a caption of `scene` in one of its wordings, what it demands).

    `variety` in [0, 1] scales how often synonyms, hypernyms, misspellings and the ground are used; 0 gives plain names.
    """
    demand = demand_of(scene)
    if scene.task in _GENERAL and rng.random() < 0.12 * variety:
        (only,) = demand.wanted
        if known := hypernyms_of(only.name):
            name = rng.choice(known)
            only = Wanted(name, only.count, only.color, classes=classes_of(name))
            demand = Demand(demand.task, (only,))
    words = f"{rng.choice(STYLES[scene.style])} {_content(demand, rng, variety)}".strip()
    if scene.style == PHOTO and rng.random() < 0.15 * variety:
        words += f" on a {scene.ground} background"
    return words, demand


def write_caption(demand: Demand, rng: Random, *, variety: float = 0.0) -> str:
    """A caption that asks for `demand`, in one of its wordings; `variety` as in `describe`."""
    return f"{rng.choice(STYLES[demand.style or PHOTO])} {_content(demand, rng, variety)}".strip()


def _content(demand: Demand, rng: Random, variety: float) -> str:
    phrases = [phrase(wanted, rng, variety) for wanted in demand.wanted]
    if demand.absent:
        return f"{phrases[0]} {rng.choice(WITHOUT)} {_excluded(demand.absent[0], rng)}"
    if len(phrases) == 3:
        return f"{phrases[0]}, {phrases[1]} and {phrases[2]}"
    joint = rng.choice(RELATIONS[demand.relation] if demand.relation else JOINTS)
    return f" {joint} ".join(phrases)


def _excluded(name: str, rng: Random) -> str:
    known = named(name)
    return with_article(f"{known.unit[0]} {known.name}") if known.unit else with_article(known.name)


def phrase(wanted: Wanted, rng: Random, variety: float) -> str:
    """Words for one kind of thing: "a red puppy", "two pieces of furniture", "a tiny camera"."""
    known, many = named(wanted.name), wanted.count > 1
    names = known.names if rng.random() < 0.4 * variety else known.names[:1]
    name = rng.choice(names)[many]
    if rng.random() < 0.05 * variety:
        name = _mistyped(name.split(" "), rng)
    words = [name]
    if known.unit:
        words.insert(0, known.unit[many])
    if wanted.color and wanted.color != NATURAL:
        words.insert(0, wanted.color)
    if wanted.size:
        words.insert(0, rng.choice(SIZES[wanted.size]))
    text = " ".join(words)
    return f"{COUNTS[wanted.count]} {text}" if many else with_article(text)


def _mistyped(words: Sequence[str], rng: Random) -> str:
    place = rng.randrange(len(words))
    return " ".join(misspelt(w) if i == place and len(w) > 2 else w for i, w in enumerate(words))


def held_out(scene: Scene, caption: str) -> bool:
    """Whether training never shows this caption.

    A scene with a held-out pair of classes is held out in every task and wording; with one class the wording is
    (a fifth of them).
    """
    pairs = pairs_of(scene)
    if pairs:
        return any(map(held_pair, pairs))
    return _digest(caption) < _HELD_WORDINGS


def held_pair(pair: tuple[str, str]) -> bool:
    """Whether training never shows these two classes in one scene or caption."""
    return _digest("second:" + "+".join(sorted(pair))) < HELD_PAIRS


def _digest(text: str) -> int:
    return hashlib.sha256(text.encode()).digest()[0]
