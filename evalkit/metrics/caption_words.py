"""Words of a caption as COCO's evaluation takes them: lower case, contractions apart, no punctuation.

The rules are those of the Penn Treebank that captions meet: "don't" is "do n't", "dog's" is "dog 's", "t-shirt" and "2.5"
are one word. Text that is already split so comes out unchanged. Abbreviations other than "u.s." lose their full stop.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

ORDERS = (1, 2, 3, 4)  # lengths of n-grams
Words = Sequence[str]
Grams = Counter[tuple[str, ...]]
_ENDS = r"n't|'(?:s|re|ve|ll|d|m)"
_WORD = re.compile(
    rf"""
    (?:[^\W\d_]\.){{2,}}                              # u.s.
    | can(?=not\b)                                    # can not
    | o'[^\W\d_]+                                     # o'clock
    | (?:{_ENDS})\b                                   # the end of a contraction
    | \d+(?:[.,:/]\d+)+                               # 2.5, 1,000, 7:30, 1/2
    | (?:(?!n't\b)\w)+(?:-+(?:(?!n't\b)\w)+)*         # a word, with hyphens within
    | [^\w\s.,:;?!'"`()\[\]{{}}\-…–—]                 # a sign that counts as a word, such as & or %
    """,
    re.VERBOSE,
)
_QUOTES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"'})


def caption_words(text: str) -> list[str]:
    """The words of a caption in order.

    >>> caption_words("A man's t-shirt isn't red, it is 2.5 m away.")
    ['a', 'man', "'s", 't-shirt', 'is', "n't", 'red', 'it', 'is', '2.5', 'm', 'away']
    """
    return _WORD.findall(text.lower().translate(_QUOTES))


def grams(words: Words, order: int) -> Grams:
    """How often each n-gram of `order` words occurs."""
    return Counter(tuple(words[start : start + order]) for start in range(len(words) - order + 1))
