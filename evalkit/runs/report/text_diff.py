"""Two texts with their differences marked, as pieces that a template escapes; and text made safe to look at."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import Levenshtein

MOST = 1200  # characters shown of a text
JOINERS = "\u200c\u200d"  # they shape letters and emoji, and hide nothing
MARKS = "\u061c\u200e\u200f"  # direction marks whose bidi class is that of a letter


@dataclass(frozen=True)
class Piece:
    """A run of text that both have, that only the reference has, or that only the hypothesis has."""

    kind: Literal["same", "missing", "added"]
    text: str


def differences(reference: str, hypothesis: str) -> list[Piece]:
    """Pieces by words (by characters where a text has no blanks) that turn the reference into the hypothesis.

    White space is folded first, as the rates do: a line break in another place is no error. Longer texts are cut at
    1,200 characters and end in an ellipsis.

    >>> [(p.kind, p.text) for p in differences("open daily", "open dally")]
    [('same', 'open '), ('missing', 'daily'), ('added', 'dally')]
    """
    texts = [" ".join(text.split()) for text in (reference, hypothesis)]
    blanks = any(" " in text for text in texts)
    a, b = (re.findall(r"\S+|\s+", cut(text)) if blanks else list(cut(text)) for text in texts)
    pieces: list[Piece] = []
    for step in Levenshtein.opcodes(a, b):  # as the rates count, and fast on repetitive texts
        old, new = a[step.src_start : step.src_end], b[step.dest_start : step.dest_end]
        if step.tag == "equal":
            pieces.append(Piece("same", visible("".join(old))))
            continue
        if old:
            pieces.append(Piece("missing", visible("".join(old))))
        if new:
            pieces.append(Piece("added", visible("".join(new))))
    return pieces


def cut(text: str, most: int = MOST) -> str:
    """The text, or its first `most` characters and an ellipsis."""
    return text if len(text) <= most else text[:most] + "…"


def shortened(text: str, most: int) -> str:
    """A name that fits a figure: visible characters, the middle left out where it is long.

    >>> shortened("open-magvit2-128-16384", 15)
    'open-ma…8-16384'
    """
    text = visible(text)
    half = (most - 1) // 2
    return text if len(text) <= most else text[: most - 1 - half] + "…" + text[-half:]


def visible(text: object, most: int = MOST) -> str:
    r"""Characters that act instead of showing (controls, direction, surrogates) as \xNN or \uNNNN, to be seen.

    >>> visible("a\x1b[31m\u202eb")
    'a\\x1b[31m\\u202eb'
    """
    shown = cut(str(text), most)
    if shown.isascii() and shown.isprintable():  # most names, and many on a leaderboard
        return shown
    return "".join(_code(c) if _acts(c) else c for c in shown)


def _code(c: str) -> str:
    point = ord(c)
    return f"\\x{point:02x}" if point < 256 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _acts(c: str) -> bool:
    if c in JOINERS:
        return False
    kind = unicodedata.category(c)
    if kind == "Cf":  # number signs of Arabic are of this category too, but are drawn
        return c in MARKS or unicodedata.bidirectional(c) not in ("AN", "AL", "L", "R")
    return kind in ("Cc", "Cs", "Zl", "Zp")
