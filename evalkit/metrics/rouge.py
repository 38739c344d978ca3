"""ROUGE-L of a caption: the longest common subsequence of words with its references.

Source: Lin 2004 (ACL, W04-1013), as COCO's caption evaluation has it: the best share of the caption and the best share of
a reference, each over all references, joined with recall weighing 1.2 squared times as much.
"""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import LCSseq

from evalkit.metrics.caption_words import Words

BETA = 1.2


def rouge_l(caption: Words, references: Sequence[Words]) -> float:
    """The score in [0, 1] of a caption beside at least one reference; 0 where nothing is shared.

    >>> round(rouge_l("a red cat".split(), ["a cat".split(), "one red bird".split()]), 4)
    0.8299
    """
    shared = [(LCSseq.similarity(list(caption), list(each)), len(each)) for each in references]
    precision = max(common / max(len(caption), 1) for common, _ in shared)
    recall = max(common / max(length, 1) for common, length in shared)
    if not precision or not recall:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)
