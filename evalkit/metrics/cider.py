"""CIDEr-D of a caption: likeness to its references in n-grams that are rare among the references of all images.

Source: Vedantam et al. 2015 (arXiv 1411.5726), section 5 and the CIDEr-D of its appendix: counts clipped, a Gaussian
penalty of 6 words on the difference of lengths, times 10. It is what COCO's caption evaluation calls CIDEr.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evalkit.metrics.caption_words import ORDERS, Grams, Words, grams

SIGMA, SCALE = 6.0, 10.0
Weights = Mapping[tuple[str, ...], float]


@dataclass(frozen=True)
class Rarity:
    """In the references of how many of `images` images each n-gram occurs."""

    images: int
    holding: Grams

    def weights(self, words: Words, order: int) -> Weights:
        """Counts of n-grams times the logarithm of their rarity; 0 for what the references of every image hold."""
        whole = math.log(self.images)
        return {
            gram: n * (whole - math.log(max(1, self.holding[gram]))) for gram, n in sorted(grams(words, order).items())
        }


def rarity(references: Iterable[Sequence[Words]]) -> Rarity:
    """From the references of each image."""
    images, holding = 0, Counter[tuple[str, ...]]()
    for mine in references:
        images += 1
        holding.update({gram for words in mine for order in ORDERS for gram in grams(words, order)})
    return Rarity(images, holding)


def cider_d(caption: Words, references: Sequence[Words], rare: Rarity) -> float:
    """The score in [0, 10] of a caption beside at least one reference; 0 where the corpus is one image.

    >>> corpus = [["a red cat".split()], ["two dogs run".split()]]
    >>> round(cider_d("a red cat".split(), corpus[0], rarity(corpus)), 6)
    7.5
    """
    mine = [rare.weights(caption, order) for order in ORDERS]
    return SCALE * sum(_beside(caption, mine, each, rare) for each in references) / len(references)


def _beside(caption: Words, mine: Sequence[Weights], reference: Words, rare: Rarity) -> float:
    # lengths are counted in pairs of words, as COCO's program does: a caption of one word is as long as none
    gap = max(len(caption) - 1, 0) - max(len(reference) - 1, 0)
    alike = [_cosine(own, rare.weights(reference, order)) for own, order in zip(mine, ORDERS, strict=True)]
    return math.exp(-(gap**2) / (2 * SIGMA**2)) * sum(alike) / len(ORDERS)


def _cosine(one: Weights, other: Weights) -> float:
    """The cosine in which no n-gram of the caption weighs more than the reference's."""
    norms = math.hypot(*one.values()) * math.hypot(*other.values())
    return sum(min(weight, other.get(gram, 0.0)) * other.get(gram, 0.0) for gram, weight in one.items()) / (
        norms or 1.0
    )
