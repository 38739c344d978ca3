"""Messages as words: a random one-to-one map by the key, so that the users of a list are strewn over all words.

word = A message + b over GF(2), with A a random invertible matrix. Any two messages then get two different words that
are uniform together. So whoever did not make an image has a word that was drawn without looking at it: the share of all
words that agree with the image as well is a p-value. It holds where the image is unmarked, and where it is somebody
else's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.watermark.keys import Key

Words = npt.NDArray[np.uint64]
Bits = npt.NDArray[np.uint8]
ONE = np.uint64(1)


@dataclass(frozen=True)
class Scramble:
    """`columns` uint64 [k]: what each bit of a message, from the lowest, adds to the word; `inverse` the same backwards."""

    columns: Words
    inverse: Words
    shift: int

    def words(self, messages: Words) -> Words:
        """uint64 [C] for uint64 [C]."""
        return _mapped(self.columns, messages) ^ np.uint64(self.shift)

    def word(self, message: int) -> int:
        """That of one message."""
        return int(self.words(np.array([message], np.uint64))[0])

    def message(self, word: int) -> int:
        """The message of a word."""
        return int(_mapped(self.inverse, np.array([word ^ self.shift], np.uint64))[0])


def scramble_of(key: Key, bits: int, *parts: str) -> Scramble:
    """That of a key for messages of `bits`: the first of its matrices that has an inverse."""
    low = np.uint64((1 << bits) - 1)
    for trial in range(10_000):
        drawn = key.numbers(bits + 1, *parts, trial) & low
        inverse = _inverse(drawn[:bits])
        if inverse is not None:
            return Scramble(drawn[:bits], inverse, int(drawn[bits]))
    raise RuntimeError("no invertible matrix was drawn")  # seven of ten are singular, so this never happens


def _mapped(columns: Words, messages: Words) -> Words:
    found = np.zeros(len(messages), np.uint64)
    for number, column in enumerate(columns):
        found ^= ((messages >> np.uint64(number)) & ONE) * column
    return found


def _inverse(columns: Words) -> Words | None:
    """By elimination over GF(2); None where there is none."""
    count = len(columns)
    places = np.arange(count, dtype=np.uint64)
    left: Bits = ((columns[None] >> places[:, None]) & ONE).astype(np.uint8)
    both = np.concatenate([left, np.eye(count, dtype=np.uint8)], axis=1)
    for at in range(count):
        pivots = np.flatnonzero(both[at:, at])
        if not len(pivots):
            return None
        both[[at, at + pivots[0]]] = both[[at + pivots[0], at]]
        others = both[:, at].astype(bool)
        others[at] = False
        both[others] ^= both[at]
    found: Words = (both[:, count:].astype(np.uint64) << places[:, None]).sum(0, dtype=np.uint64)
    return found
