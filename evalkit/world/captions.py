"""The language of the reference world: scenes into captions, captions back into what they demand, and the held-out split."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from random import Random

from evalkit.errors import EvalkitError
from evalkit.world.scene import Scene
from evalkit.world.vocabulary import (
    CLASSES,
    COLOR_NAMES,
    COUNTS,
    GROUNDS,
    OPENINGS,
    RELATIONS,
    class_index,
    with_article,
)

JOINTS: tuple[str, ...] = ("and", "together with")


@dataclass(frozen=True)
class Wanted:
    """Things that a caption asks for: canonical class, how many, and their colour if it names one.

    The second edition adds `size` ("big" or "small", beside another thing) and, for a hypernym, the `classes` it covers.
    """

    name: str
    count: int = 1
    color: str | None = None
    size: str | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Demand:
    """What a caption asks for. `relation` is of the first thing to the second; `ground` None leaves it open.

    The second edition adds classes that must be `absent`, and a `style`; None leaves that open too.
    """

    task: str
    wanted: tuple[Wanted, ...]
    relation: str | None = None
    ground: str | None = None
    absent: tuple[str, ...] = ()
    style: str | None = None


def demand_of(scene: Scene) -> Demand:
    """What a caption of `scene` asks for (the ground left open)."""
    if scene.task == "counting":
        return Demand(scene.task, (Wanted(scene.things[0].name, len(scene.things)),))
    return Demand(scene.task, tuple(Wanted(t.name, 1, t.color) for t in scene.things), scene.relation)


def write_caption(scene: Scene, rng: Random) -> str:
    """A caption of `scene` in one of its wordings; one in five names the ground too."""
    phrases = [_phrase(wanted, rng) for wanted in demand_of(scene).wanted]
    joint = rng.choice(RELATIONS[scene.relation] if scene.relation else JOINTS)
    ground = f" on a {scene.ground} background" if rng.random() < 0.2 else ""
    return f"{rng.choice(OPENINGS)} {f' {joint} '.join(phrases)}{ground}".strip()


def held_out(scene: Scene, caption: str) -> bool:
    """Whether training never shows this caption.

    With two classes the pair is held out, in all tasks and wordings (a tenth of the pairs); else the wording (a fifth).
    """
    names = {thing.name for thing in scene.things}
    if len(names) == 2:
        return _digest("+".join(sorted(names))) < 26
    return _digest(caption) < 51


def read_caption(caption: str) -> Demand:
    """What `caption` asks for. Raises `EvalkitError` where the world's grammar has no such sentence.

    >>> read_caption("a photo of two puppies").wanted == (Wanted("dog", 2),)
    True
    """
    text = caption.strip().lower().rstrip(".")
    found = _sentence().fullmatch(text)
    if found is None:
        raise EvalkitError(
            f"the reference world cannot read {caption!r}. Give a sentence like 'a photo of a red dog', 'three cups', "
            "'a car left of an apple', or 'a blue cat and a yellow key on a white background'"
        )
    wanted = tuple(_wanted(found[part]) for part in ("first", "second") if found[part])
    relation = next((r for r, words in RELATIONS.items() if found["joint"] in words), None)
    return Demand(_task(wanted, relation), wanted, relation, found["ground"])


def _task(wanted: tuple[Wanted, ...], relation: str | None) -> str:
    if relation:
        return "position"
    if len(wanted) == 2:
        return "color_attr" if any(w.color for w in wanted) else "two_object"
    if wanted[0].count > 1:
        return "counting"
    return "colors" if wanted[0].color else "single_object"


def _phrase(wanted: Wanted, rng: Random) -> str:
    known = CLASSES[class_index(wanted.name)]
    many = wanted.count > 1
    words = [*([wanted.color] if wanted.color else []), rng.choice(known.names)[many]]
    if known.unit:
        words.insert(0, known.unit[many])
    text = " ".join(words)
    return f"{COUNTS[wanted.count]} {text}" if many else with_article(text)


def _wanted(phrase: str) -> Wanted:
    words = re.sub(r"\bpairs? of ", "", phrase).split(" ", 1)
    count = next((n for n, word in COUNTS.items() if word == words[0]), 1)
    color = next((c for c in COLOR_NAMES if words[1].startswith(c + " ")), None)
    name = words[1].removeprefix(f"{color} ")
    return Wanted(CLASSES[class_index(name)].name, count, color)


@cache
def _sentence() -> re.Pattern[str]:
    names = "|".join(sorted({n for c in CLASSES for pair in c.names for n in pair}, key=len, reverse=True))
    phrase = rf"(?:an?|{'|'.join(COUNTS.values())}) (?:pairs? of )?(?:(?:{'|'.join(COLOR_NAMES)}) )?(?:{names})"
    joints = "|".join([*JOINTS, *(w for words in RELATIONS.values() for w in words)])
    openings = "|".join(o for o in OPENINGS if o)
    ground = rf"(?: on a (?P<ground>{'|'.join(GROUNDS)}) background)?"
    return re.compile(rf"(?:(?:{openings}) )?(?P<first>{phrase})(?: (?P<joint>{joints}) (?P<second>{phrase}))?{ground}")


def _digest(text: str) -> int:
    return hashlib.sha256(text.encode()).digest()[0]
