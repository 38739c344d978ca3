"""Pairs in the language of the reference world, where every word of both prompts is known to `world-ar`.

Train pairs are captions that the world's training showed, test pairs are held out as in the suite `world`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from random import Random

from evalkit.erasure.pairs.concepts import Concept
from evalkit.erasure.pairs.pair import Pair, Split, Stratum
from evalkit.world.captions import held_out, write_caption
from evalkit.world.scene import Scene, Thing, draw_scene
from evalkit.world.vocabulary import CLASS_NAMES, CLASSES, COLOR_NAMES, COUNTS, class_index, with_article

SOURCE = "grammar:world"
ALONE = ("single_object", "colors", "counting")
TOGETHER = ("two_object", "position", "color_attr")
_TRIES = 2000  # scenes in a row without a new pair, after which there are no more


def world_pairs(concept: str, most: int, seed: int = 0) -> tuple[Pair, ...]:
    """At most `most` pairs of each stratum and split of a class of the world: direct, synonym, compositional.

    Raises `EvalkitError` for a class that the world does not have.

    >>> world_pairs("dog", 2)[0].concept
    'dog'
    """
    name = CLASSES[class_index(concept)].name
    rng, found = Random(f"erasure-{seed}-{name}"), dict[str, Pair]()
    wanted: dict[tuple[Stratum, Split], int] = {
        (stratum, split): most
        for stratum in ("direct", "synonym", "compositional")
        for split in ("train", "test")
        if stratum != "synonym" or CLASSES[class_index(name)].synonyms
    }
    last = 0
    for number, pair in enumerate(_drawn(name, rng)):
        key = pair.stratum, pair.split
        if wanted.get(key, 0) and pair.target not in found:
            found[pair.target] = pair
            wanted[key] -= 1
            last = number
        if not any(wanted.values()) or number - last > _TRIES:
            break
    order = sorted(found.values(), key=lambda pair: (pair.split == "test", pair.stratum))
    return tuple(order)


def world_concept(name: str) -> Concept:
    """What the world knows of a class. Raises `EvalkitError` for one that it does not have."""
    known = CLASSES[class_index(name)]
    unit = f"{known.unit[0]} " if known.unit else ""
    others = tuple(with_article(each) for each in CLASS_NAMES if each != known.name)
    synonyms = tuple(with_article(singular) for singular, _ in known.synonyms)
    return Concept(known.name, "object", with_article(f"{unit}{known.name}"), others, synonyms)


def world_retained(concept: str, count: int, seed: int = 0, *, synonyms: bool = False) -> tuple[str, ...]:
    """`count` captions that training showed, of all tasks and of every class but the concept's.

    `synonyms`: captions that ask for it by another name stay, as they do where prompts are filtered by a name.
    Raises `EvalkitError` for a class that the world does not have.
    """
    name = CLASSES[class_index(concept)].name
    rng, found = Random(f"retained-{seed}-{name}"), dict[str, None]()
    tasks = ALONE + TOGETHER
    while len(found) < count:
        scene = draw_scene(tasks[len(found) % len(tasks)], rng)
        caption = write_caption(scene, rng)
        asks = _names(name, caption) if synonyms else name in {thing.name for thing in scene.things}
        if not asks and not held_out(scene, caption):
            found[caption] = None
    return tuple(found)


def _drawn(name: str, rng: Random) -> Iterator[Pair]:
    for number in count():
        task = (ALONE + TOGETHER)[number % 6]
        scene = _showing(draw_scene(task, rng), name)
        target = write_caption(scene, rng)
        there = {thing.name for thing in scene.things}
        replacement = in_place_of(target, name, rng.choice([each for each in CLASS_NAMES if each not in there]))
        split: Split = "test" if held_out(scene, target) else "train"
        yield Pair(target, replacement, "object", _stratum(target, task, name), split, name, task, SOURCE)


def _showing(scene: Scene, name: str) -> Scene:
    """The scene with the concept in the place of its first class; one that shows it already stays as it is."""
    if name in {thing.name for thing in scene.things}:
        return scene
    first = scene.things[0].name
    things = tuple(Thing(name if t.name == first else t.name, t.color, t.x, t.y) for t in scene.things)
    return Scene(scene.task, scene.ground, things, scene.relation)


def in_place_of(caption: str, name: str, other: str) -> str:
    """The caption with the class `other` wherever it asks for the class `name`, in the same number and colour.

    >>> in_place_of("a photo of a red puppy above two cats", "dog", "apple")
    'a photo of a red apple above two cats'
    """
    old, new = CLASSES[class_index(name)], CLASSES[class_index(other)]
    names = "|".join(sorted({word for pair in old.names for word in pair}, key=len, reverse=True))
    counts = "|".join(word for number, word in COUNTS.items() if number > 1)
    phrase = rf"\b(an?|{counts}) (?:pairs? of )?(?:({'|'.join(COLOR_NAMES)}) )?(?:{names})\b"

    def put(match: re.Match[str]) -> str:
        many = match[1] not in ("a", "an")
        words = [*([new.unit[many]] if new.unit else []), *([match[2]] if match[2] else [])]
        text = " ".join([*words, new.plural if many else new.name])
        return f"{match[1]} {text}" if many else with_article(text)

    return re.sub(phrase, put, caption)


def _stratum(caption: str, task: str, name: str) -> Stratum:
    if not _names(name, caption):
        return "synonym"
    return "compositional" if task in TOGETHER else "direct"


def _names(name: str, caption: str) -> bool:
    own = CLASSES[class_index(name)]
    return any(re.search(rf"\b{word}\b", caption) for word in (own.name, own.plural))
