"""The script that a text is written in, by the Unicode names of its letters."""

from __future__ import annotations

import unicodedata
from collections import Counter

WITHOUT_BLANKS = frozenset({"Han", "Japanese", "Thai", "Khmer", "Lao", "Myanmar", "Tibetan"})
_BY_NAME = {
    "CJK": "Han",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "KATAKANA-HIRAGANA": "Japanese",
    "FULLWIDTH": "Latin",
    "HALFWIDTH": "Japanese",
}


def script_of(text: str | None) -> str | None:
    """The script of most letters: Latin, Han, Japanese (Han with kana), Hangul, Devanagari, …; None without letters.

    >>> script_of("Grüße, 3 Äpfel"), script_of("東京へ行く"), script_of("नमस्ते"), script_of("42")
    ('Latin', 'Japanese', 'Devanagari', None)
    """
    counts: Counter[str] = Counter()
    for character in text or "":
        if unicodedata.category(character)[0] in "LM":
            first = unicodedata.name(character, "").split(" ")[0]
            if first and first != "COMBINING":
                counts[_BY_NAME.get(first, first.capitalize())] += 1
    if not counts:
        return None
    if counts["Japanese"] and counts["Japanese"] + counts["Han"] >= counts.total() / 2:
        return "Japanese"
    return min(counts, key=lambda script: (-counts[script], script))
