"""Two texts with their differences marked, as pieces that a template escapes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import Levenshtein

from evalkit.text import cut, visible


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
