"""METEOR of a caption as NLTK has it: words that agree exactly, by stem or by WordNet, and a penalty for their order.

COCO's evaluation runs METEOR 1.5, a Java program with other weights and a table of paraphrases; numbers of both do not
compare. Source: Lavie and Agarwal 2007 (ACL, W07-0734), `nltk.translate.meteor_score`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from evalkit.metrics.caption_words import Words

ABSENT = "NLTK or its WordNet is not here; type: pip install nltk; python -m nltk.downloader wordnet"


def meteor(caption: Words, references: Sequence[Words]) -> float | None:
    """The best score in [0, 1] of a caption over its references; None where NLTK or its WordNet is not there."""
    found = _scorer()
    return None if found is None else float(found([list(each) for each in references], list(caption)))


@cache
def _scorer() -> Callable[[list[list[str]], list[str]], Any] | None:
    try:
        scored = import_module("nltk.translate.meteor_score").meteor_score
        scored([["cats"]], ["kittens"])  # loads WordNet
    except (ImportError, LookupError):  # the latter by NLTK, where data are missing
        return None
    return scored  # type: ignore[no-any-return]
