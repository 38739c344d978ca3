"""Words to numbers: the fixed vocabularies of the world's generators."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from functools import cache

from evalkit.errors import EvalkitError
from evalkit.text import listed
from evalkit.world.captions import JOINTS
from evalkit.world.vocabulary import CLASSES, COLOR_NAMES, COUNTS, GROUNDS, OPENINGS, RELATIONS

LENGTH = 18  # words of the longest caption of edition 1
PAD = 0


class Lexicon:
    """The words of `texts` in alphabetical order for the model `who`; word i is token i + 1, token 0 is padding.

    `suite`: prompts that have these words alone. `told`: the words that an error may propose; all by default.
    """

    def __init__(self, who: str, texts: Iterable[str], length: int, suite: str, told: Sequence[str] = ()) -> None:
        self.who, self.length, self.suite = who, length, suite
        self.words = tuple(sorted({word for text in texts for word in text.split()}))
        self._told = told or self.words
        self._numbers = {word: number for number, word in enumerate(self.words, start=1)}

    def encode(self, caption: str) -> list[int]:
        """`length` token numbers of a caption, padded at the end; an empty caption (no condition) is all padding.

        Raises `EvalkitError` for a word that the world does not have, and for too many words.
        """
        given = caption.lower().replace(",", " ").rstrip(". ").split()
        if unknown := [word for word in given if word not in self._numbers]:
            raise EvalkitError(f"{self.who} does not know {listed([*map(repr, unknown)])}. {self._instead(unknown)}")
        if len(given) > self.length:
            raise EvalkitError(f"{self.who} takes at most {self.length} words; {len(given)} given in {caption!r}")
        return [self._numbers[word] for word in given] + [PAD] * (self.length - len(given))

    def _instead(self, unknown: Sequence[str]) -> str:
        near = [each for word in unknown for each in difflib.get_close_matches(word, self._told, n=2)]
        proposed = f", near these {listed([*map(repr, dict.fromkeys(near))])}" if near else ""
        return f"It knows {len(self._told)} words{proposed}; write captions like those of --prompts {self.suite}"


@cache
def first_lexicon() -> Lexicon:
    """Every word of edition 1's captions, for world-ar."""
    texts = [*OPENINGS, *JOINTS, *COLOR_NAMES, *COUNTS.values(), *GROUNDS, "a an on background"]
    texts += [text for wordings in RELATIONS.values() for text in wordings]
    texts += [text for c in CLASSES for pair in (*c.names, *([c.unit] if c.unit else [])) for text in pair]
    return Lexicon("world-ar", texts, LENGTH, "world")


def words() -> tuple[str, ...]:
    """Every word of edition 1's captions in alphabetical order."""
    return first_lexicon().words


def encode_caption(caption: str) -> list[int]:
    """`Lexicon.encode` with edition 1's words."""
    return first_lexicon().encode(caption)
