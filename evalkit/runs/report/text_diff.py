"""Two texts with their differences marked, as pieces that a template escapes."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Literal

MOST = 1200  # characters shown of a text


@dataclass(frozen=True)
class Piece:
    """A run of text that both have, that only the reference has, or that only the hypothesis has."""

    kind: Literal["same", "missing", "added"]
    text: str


def differences(reference: str, hypothesis: str) -> list[Piece]:
    """Pieces by words (by characters where a text has no blanks) that turn the reference into the hypothesis.

    White space is folded first, as the rates do: a line break in another place is no error.

    >>> [(p.kind, p.text) for p in differences("open daily", "open dally")]
    [('same', 'open '), ('missing', 'daily'), ('added', 'dally')]
    """
    a, b = (_parts(visible(" ".join(text.split()))[:MOST]) for text in (reference, hypothesis))
    pieces: list[Piece] = []
    for tag, a0, a1, b0, b1 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(Piece("same", "".join(a[a0:a1])))
            continue
        if a1 > a0:
            pieces.append(Piece("missing", "".join(a[a0:a1])))
        if b1 > b0:
            pieces.append(Piece("added", "".join(b[b0:b1])))
    return pieces


def visible(text: str) -> str:
    """Control and direction characters as \\xNN or \\uNNNN, so that they can be seen and do nothing; newlines stay."""
    return "".join(
        c if c == "\n" or not _acts(c) else f"\\u{ord(c):04x}" if ord(c) > 255 else f"\\x{ord(c):02x}" for c in text
    )


def _acts(c: str) -> bool:
    code = ord(c)
    return (
        code < 32
        or 127 <= code < 160
        or 0x200B <= code <= 0x200F
        or 0x2028 <= code <= 0x202E
        or 0x2066 <= code <= 0x2069
    )


def _parts(text: str) -> list[str]:
    return re.findall(r"\S+|\s+", text) if re.search(r"\s", text.strip()) else list(text)
