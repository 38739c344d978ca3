"""The words of the second edition: classes with synonyms and misspellings, hypernyms, colours, grounds, styles, sizes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from evalkit.world.vocabulary import COLORS as COLORS
from evalkit.world.vocabulary import RELATIONS as RELATIONS
from evalkit.world.vocabulary import ObjectClass


@dataclass(frozen=True)
class Hypernym:
    """A word for several classes: (singular, plural), its measure words where English wants them, and its classes."""

    name: str
    plural: str
    classes: tuple[str, ...]
    unit: tuple[str, str] | None = None

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """Its one (singular, plural) name."""
        return ((self.name, self.plural),)


def _known(name: str, emoji: str, *synonyms: str, plural: str = "", unit: str = "") -> ObjectClass:
    """A class with regular plurals unless one is given; `unit` is the measure word ("pair")."""
    pairs = tuple((s, _plural(s)) for s in synonyms)
    return ObjectClass(name, plural or _plural(name), emoji, pairs, (f"{unit} of", f"{unit}s of") if unit else None)


def _plural(name: str) -> str:
    if name.endswith(("s", "x", "ch", "sh")):
        return f"{name}es"
    return f"{name[:-1]}ies" if name.endswith("y") and name[-2] not in "aeiou" else f"{name}s"


# sprites of one hue are left out: painted in that hue they could not be told from the natural ones
CLASSES: tuple[ObjectClass, ...] = (
    _known("dog", "1f436", "puppy", "hound", "pup"),
    _known("cat", "1f431", "kitten", "kitty", "feline"),
    _known("bear", "1f43b", "grizzly"),
    _known("horse", "1f40e", "pony", "stallion", "steed"),
    _known("elephant", "1f418"),
    _known("giraffe", "1f992"),
    _known("zebra", "1f993"),
    _known("cow", "1f404", "heifer"),
    _known("rabbit", "1f430", "bunny", "hare"),
    _known("penguin", "1f427"),
    _known("turtle", "1f422", "tortoise"),
    _known("butterfly", "1f98b"),
    _known("fish", "1f41f", plural="fish"),
    _known("car", "1f697", "automobile", "motorcar"),
    _known("bus", "1f68c", "coach"),
    _known("truck", "1f69a", "lorry"),
    _known("bicycle", "1f6b2", "bike", "cycle"),
    _known("motorcycle", "1f3cd-fe0f", "motorbike"),
    _known("boat", "26f5", "sailboat", "yacht"),
    _known("airplane", "2708-fe0f", "plane", "aeroplane", "jet"),
    _known("train", "1f682", "locomotive"),
    _known("apple", "1f34e"),
    _known("banana", "1f34c"),
    _known("watermelon", "1f349", "melon"),
    _known("strawberry", "1f353"),
    _known("pineapple", "1f34d", "ananas"),
    _known("pizza", "1f355"),
    _known("cake", "1f370", "gateau"),
    _known("donut", "1f369", "doughnut"),
    _known("chair", "1fa91", "seat"),
    _known("bed", "1f6cf-fe0f", "bunk"),
    _known("couch", "1f6cb-fe0f", "sofa", "settee"),
    _known("guitar", "1f3b8"),
    _known("violin", "1f3bb", "fiddle"),
    _known("drum", "1f941"),
    _known("tree", "1f333"),
    _known("flower", "1f337", "tulip", "blossom"),
    _known("hat", "1f3a9", "top hat"),
    _known("shoe", "1f45f", "sneaker", "trainer"),
    _known("clock", "23f0", "alarm clock", "timepiece"),
    _known("book", "1f4d4", "novel", "volume"),
    _known("umbrella", "26f1-fe0f", "parasol", "sunshade"),
    _known("tv", "1f4fa", "television", "telly"),
    _known("scissors", "2702-fe0f", plural="scissors", unit="pair"),
    _known("cup", "2615", "mug"),
    _known("key", "1f5dd-fe0f"),
    _known("kite", "1fa81"),
    _known("camera", "1f4f7"),
)
CLASS_NAMES: tuple[str, ...] = tuple(c.name for c in CLASSES)
COLOR_NAMES: tuple[str, ...] = tuple(COLORS)

HYPERNYMS: tuple[Hypernym, ...] = (
    Hypernym("animal", "animals", CLASS_NAMES[:13]),
    Hypernym("vehicle", "vehicles", CLASS_NAMES[13:21]),
    Hypernym("fruit", "fruits", CLASS_NAMES[21:26]),
    Hypernym("dessert", "desserts", ("cake", "donut")),
    Hypernym("furniture", "furniture", CLASS_NAMES[29:32], ("piece of", "pieces of")),
    Hypernym("instrument", "instruments", CLASS_NAMES[32:35]),
    Hypernym("plant", "plants", ("tree", "flower")),
    Hypernym("clothing", "clothing", ("hat", "shoe"), ("piece of", "pieces of")),
)

NAMED: tuple[ObjectClass | Hypernym, ...] = (*CLASSES, *HYPERNYMS)

# what a caption says of a ground; the renderer's grounds in the same order
GROUNDS: tuple[str, ...] = ("plain", "gradient", "wooden", "brick", "grass", "fabric")
PHOTO = "photo"  # no filter
# how a caption opens for each style; a photo has the openings of edition 1, which say nothing of a style
STYLES: dict[str, tuple[str, ...]] = {
    PHOTO: ("a photo of", "a picture of", "an image of", "a scene with", ""),
    "sketch": ("a pencil sketch of", "a sketch of"),
    "watercolor": ("a watercolor of", "a watercolor painting of"),
    "pixel art": ("a pixel art image of", "pixel art of"),
    "sepia": ("a sepia photo of", "a vintage photo of"),
    "night": ("a night photo of", "a photo at night of"),
    "pop art": ("a pop art poster of", "a pop art print of"),
    "neon": ("a neon sign of", "a neon drawing of"),
}
STYLE_NAMES: tuple[str, ...] = tuple(STYLES)
SIZES: dict[str, tuple[str, ...]] = {"big": ("big", "large", "huge"), "small": ("small", "little", "tiny")}
COUNTS: dict[int, str] = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}
WITHOUT: tuple[str, ...] = ("without", "but not", "and not")
JOINTS: tuple[str, ...] = ("and", "together with", "next to")


@cache
def named(name: str) -> ObjectClass | Hypernym:
    """The class or hypernym with this canonical name; there must be one."""
    return next(each for each in NAMED if each.name == name)


def hypernyms_of(name: str) -> tuple[str, ...]:
    """The hypernyms of a class.

    >>> hypernyms_of("dog")
    ('animal',)
    """
    return tuple(h.name for h in HYPERNYMS if name in h.classes)


def classes_of(name: str) -> tuple[str, ...]:
    """The classes that a name stands for: itself, or those of a hypernym."""
    known = named(name)
    return known.classes if isinstance(known, Hypernym) else (known.name,)


def misspelt(word: str) -> str:
    """`word` as hurried people type it: the two letters before its middle change places, or its third last is lost.

    >>> misspelt("dog"), misspelt("elephant")
    ('dgo', 'elpehant')
    """
    middle = max(1, len(word) // 2 - 2) if len(word) > 3 else 1
    swapped = word[:middle] + word[middle + 1] + word[middle] + word[middle + 2 :]
    return swapped if swapped != word else word[:-3] + word[-2:]
