"""Shares of words or characters that an image's text gives back, in any order (LongText-Bench)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_ACCENTS = "àâäéèêëîïôöùûüçÀÂÄÉÈÊËÎÏÔÖÙÛÜÇ"
_ODD = re.compile(rf"[^\u4e00-\u9fa5a-zA-Z0-9\s{_ACCENTS}]")


def recalled(wanted: Sequence[str] | str, read: str, script: str) -> tuple[int, int]:
    """(how many units of `wanted` are read, how many there are): lower-case words of "en", characters of "zh".

    What is read too often, or was not asked for, costs nothing. Source: X-Omni-Team/X-Omni 2b8237b,
    textbench/summary_scores.py.

    >>> recalled(["SALE SALE"], "sale!", "en")
    (1, 2)
    """
    text = wanted if isinstance(wanted, str) else " ".join(wanted)
    there, seen = (Counter(_units(each, script)) for each in (text, read.replace("No text recognized.", "")))
    return (there & seen).total(), there.total()


def _units(text: str, script: str) -> list[str]:
    clean = _ODD.sub("", text)
    return clean.lower().split() if script == "en" else [each for each in clean if not each.isspace()]
