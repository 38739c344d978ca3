"""Words to numbers: the fixed vocabulary of world-ar."""

from __future__ import annotations

from functools import cache

from evalkit.errors import EvalkitError
from evalkit.world.captions import JOINTS
from evalkit.world.vocabulary import CLASSES, COLOR_NAMES, COUNTS, GROUNDS, OPENINGS, RELATIONS

LENGTH = 18  # words of the longest caption
PAD = 0


@cache
def words() -> tuple[str, ...]:
    """Every word of the world's captions in alphabetical order; word i is token i + 1, token 0 is padding."""
    texts = [*OPENINGS, *JOINTS, *COLOR_NAMES, *COUNTS.values(), *GROUNDS, "a an on background"]
    texts += [text for wordings in RELATIONS.values() for text in wordings]
    texts += [text for c in CLASSES for pair in (*c.names, *([c.unit] if c.unit else [])) for text in pair]
    return tuple(sorted({word for text in texts for word in text.split()}))


def encode_caption(caption: str) -> list[int]:
    """`LENGTH` token numbers of a caption, padded at the end; an empty caption (no condition) is all padding.

    Raises `EvalkitError` for a word that the world does not have, and for too many words.
    """
    numbers = _numbers()
    given = caption.lower().replace(",", " ").rstrip(". ").split()
    if unknown := [word for word in given if word not in numbers]:
        raise EvalkitError(f"world-ar does not know {', '.join(map(repr, unknown))}; it knows: {' '.join(words())}")
    if len(given) > LENGTH:
        raise EvalkitError(f"world-ar takes at most {LENGTH} words; {len(given)} given in {caption!r}")
    return [numbers[word] for word in given] + [PAD] * (LENGTH - len(given))


@cache
def _numbers() -> dict[str, int]:
    return {word: number for number, word in enumerate(words(), start=1)}
