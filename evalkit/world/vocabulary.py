"""The words of the reference world: what can stand in an image, its colours, places and grounds."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.errors import EvalkitError


@dataclass(frozen=True)
class ObjectClass:
    """A class of objects: its name, further names (singular, plural), and the file of its image in Noto Emoji.

    `unit`: the measure word that English wants ("a pair of scissors").
    """

    name: str
    plural: str
    image: str
    synonyms: tuple[tuple[str, str], ...] = ()
    unit: tuple[str, str] | None = None

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """All (singular, plural) names, the canonical one first."""
        return ((self.name, self.plural), *self.synonyms)


CLASSES: tuple[ObjectClass, ...] = (
    ObjectClass("dog", "dogs", "1f436", (("puppy", "puppies"),)),
    ObjectClass("cat", "cats", "1f431", (("kitten", "kittens"),)),
    ObjectClass("bear", "bears", "1f43b"),
    ObjectClass("horse", "horses", "1f40e", (("pony", "ponies"),)),
    ObjectClass("elephant", "elephants", "1f418"),
    ObjectClass("giraffe", "giraffes", "1f992"),
    ObjectClass("car", "cars", "1f697", (("automobile", "automobiles"),)),
    ObjectClass("bus", "buses", "1f68c", (("coach", "coaches"),)),
    ObjectClass("bicycle", "bicycles", "1f6b2", (("bike", "bikes"),)),
    ObjectClass("boat", "boats", "26f5", (("sailboat", "sailboats"),)),
    ObjectClass("airplane", "airplanes", "2708-fe0f", (("plane", "planes"),)),
    ObjectClass("apple", "apples", "1f34e"),
    ObjectClass("banana", "bananas", "1f34c"),
    ObjectClass("pizza", "pizzas", "1f355"),
    ObjectClass("clock", "clocks", "23f0", (("alarm clock", "alarm clocks"),)),
    ObjectClass("book", "books", "1f4d5"),
    ObjectClass("umbrella", "umbrellas", "2602-fe0f", (("parasol", "parasols"),)),
    ObjectClass("chair", "chairs", "1fa91", (("seat", "seats"),)),
    ObjectClass("bed", "beds", "1f6cf-fe0f"),
    ObjectClass("tv", "tvs", "1f4fa", (("television", "televisions"),)),
    ObjectClass("scissors", "scissors", "2702-fe0f", unit=("pair of", "pairs of")),
    ObjectClass("cup", "cups", "2615", (("mug", "mugs"),)),
    ObjectClass("key", "keys", "1f511"),
    ObjectClass("balloon", "balloons", "1f388"),
)
CLASS_NAMES: tuple[str, ...] = tuple(c.name for c in CLASSES)

COLORS: dict[str, tuple[int, int, int]] = {
    "red": (235, 30, 40),
    "orange": (255, 140, 0),
    "yellow": (250, 225, 30),
    "green": (30, 175, 60),
    "blue": (40, 90, 240),
    "purple": (165, 50, 215),
}
COLOR_NAMES: tuple[str, ...] = tuple(COLORS)

GROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (255, 255, 255),
    "grey": (206, 210, 214),
    "beige": (244, 226, 196),
    "mint": (198, 236, 220),
}

# what a caption may say for each relation; the first wording is GenEval's
RELATIONS: dict[str, tuple[str, ...]] = {
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
COUNTS: dict[int, str] = {1: "one", 2: "two", 3: "three", 4: "four"}
OPENINGS: tuple[str, ...] = ("a photo of", "a picture of", "an image of", "a drawing of", "a scene with", "")


def class_index(name: str) -> int:
    """The place of a class, by its canonical name or a synonym.

    >>> class_index("puppy") == class_index("dog") == 0
    True
    """
    for index, known in enumerate(CLASSES):
        if any(name in pair for pair in known.names):
            return index
    raise EvalkitError(f"the reference world has no {name!r}; it has: {', '.join(CLASS_NAMES)}")


def with_article(words: str) -> str:
    """`words` after the indefinite article that English wants.

    >>> with_article("orange bus"), with_article("pair of scissors")
    ('an orange bus', 'a pair of scissors')
    """
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
