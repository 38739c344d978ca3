"""Does a command print what its page shows? Words and their order, not the numbers, the digests or the width."""

import re
from difflib import SequenceMatcher

RULES = re.compile(r"[─━│┃┏┓┗┛╭╮╰╯┌┐└┘├┤┬┴┼]+")
HASH = re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b…?")
NUMBER = re.compile(r"[−-]?\d[\d,]*(?:\.\d+)?(?:e[−+-]?\d+)?…?")
GAP = "…"


def words(text):
    """The words of `text`; each number and digest is "#"."""
    return NUMBER.sub("#", HASH.sub("#", RULES.sub(" ", text))).split()


def difference(shown, printed):
    """None where `printed` has the words of `shown` in this order ("…" stands for any), else what differs."""
    wanted, found = words(shown), words(printed)
    pieces, piece = [], []
    for word in wanted:
        if word == GAP:
            pieces.append(piece)
            piece = []
        else:
            piece.append(word)
    pieces.append(piece)
    if len(pieces) == 1:
        return None if wanted == found else _said(wanted, found)
    at = 0
    for number, each in enumerate(pieces):
        last = number == len(pieces) - 1
        start = at if number == 0 else len(found) - len(each) if last else _find(each, found, at)
        if start is None or start < at or found[start : start + len(each)] != each:
            return _said(each, found[at:])
        at = start + len(each)
    return None


def _find(piece, found, at):
    return next((i for i in range(at, len(found) - len(piece) + 1) if found[i : i + len(piece)] == piece), None)


def _said(wanted, found):
    lines = []
    for what, a, b, c, d in SequenceMatcher(None, wanted, found, autojunk=False).get_opcodes():
        if what != "equal":
            lines.append(f"  page: {' '.join(wanted[a:b])!r}\n  here: {' '.join(found[c:d])[:400]!r}")
    return "\n".join(lines[:8])
