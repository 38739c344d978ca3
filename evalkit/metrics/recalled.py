"""What an image's text gives back of the text that was asked for (LongText-Bench, OneIG-Bench, CVTG-2K)."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from rapidfuzz.distance import Levenshtein

_ACCENTS = "àâäéèêëîïôöùûüçÀÂÄÉÈÊËÎÏÔÖÙÛÜÇ"
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
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


def reread(wanted: str, read: str) -> tuple[float, float, float, float]:
    """(edits, 1 where there are none, units that are read, units of `wanted`) of two texts; their case counts.

    Units are words, or characters where `wanted` holds Chinese. Source: OneIG-Bench/OneIG-Benchmark 41b4983,
    scripts/text/text_utils.py.

    >>> reread("SALE SALE", "SALE")
    (5.0, 0.0, 1.0, 2.0)
    """
    for word in ("addCriterion", "No text recognized."):
        read = read.replace(word, "")
    truth, seen = _plain(wanted), _plain(read)
    edits = Levenshtein.distance(seen, truth)
    there, found = (Counter(text if _CHINESE.search(truth) else text.split()) for text in (truth, seen))
    return float(edits), float(edits == 0), float((there & found).total()), float(there.total())


def words_read(wanted: Sequence[str], read: str) -> tuple[float, float]:
    """(share of the words of `wanted` that are read, mean of 1 - edits / length to the most alike word), in lower case.

    Source: the script unified_metrics_eval.py that CVTG-2K is scored with; it finds the most alike word as difflib does.
    """
    there = read.lower().split() or [""]
    found = [word.lower() for text in wanted for word in text.split()]
    alike = [difflib.get_close_matches(word, there, n=1, cutoff=0)[0] for word in found]
    near = [1 - Levenshtein.distance(a, b) / (max(len(a), len(b)) + 1e-5) for a, b in zip(found, alike, strict=True)]
    return fmean(word in there for word in found), fmean(near)


def _plain(text: str) -> str:
    clean = _ODD.sub("", text)
    return "".join(clean.split()) if _CHINESE.search(clean) else re.sub(r"\s+", " ", clean).strip()
