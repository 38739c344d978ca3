"""Words to numbers: the fixed vocabulary of world-ar2."""

from __future__ import annotations

from functools import cache

from evalkit.world.second.vocabulary import (
    COLOR_NAMES,
    COUNTS,
    GROUNDS,
    JOINTS,
    NAMED,
    RELATIONS,
    SIZES,
    STYLES,
    WITHOUT,
    misspelt,
)
from evalkit.world.text import Lexicon


@cache
def lexicon() -> Lexicon:
    """All words of the captions, with misspellings, which errors do not list; at most 26 words a caption."""
    texts = [*JOINTS, *WITHOUT, *COLOR_NAMES, *COUNTS.values(), *GROUNDS, "a an on background"]
    texts += [text for group in (RELATIONS, SIZES, STYLES) for wordings in group.values() for text in wordings]
    names = {word for c in NAMED for pair in c.names for text in pair for word in text.split()}
    units = [text for c in NAMED if c.unit for text in c.unit]
    told = sorted({word for text in [*texts, *units, *names] for word in text.split()})
    return Lexicon("world-ar2", [*told, *(misspelt(name) for name in names if len(name) > 2)], 26, "world2", told)
