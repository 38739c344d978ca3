"""IndexMark (arXiv 2505.14673): near codes form groups (pairs, as the authors have it), one of each is green by the key.

A red code is exchanged for its near green partner, which costs little. The authors decide by a fixed ratio of green codes
(0.615), whose error rate depends on the image's size and on the search for its place; the ratio is reported by
`published`, and the test here is exact: of a group's codes exactly one is green.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.watermark.keys import Key
from evalkit.watermark.lists import Scheme, grouped_pool
from evalkit.watermark.mark import LexicalBias, Mark
from evalkit.watermark.methods.near import check_groups, groups_digest, near_groups
from evalkit.watermark.methods.subject import Subject
from evalkit.watermark.score import Scores
from evalkit.watermark.spec import MarkSpec


class IndexMark(LexicalBias):
    """Lists with one green code in each group of near codes."""

    method = "indexmark"

    def __init__(self, spec: MarkSpec, key: Key, tokenizer: str, order: npt.NDArray[np.int64]) -> None:
        scheme = Scheme(spec.gamma or 0.5, spec.lists or 1, "paired", spec.epoch or "0")
        super().__init__(grouped_pool(key, tokenizer, scheme, order), key, tokenizer, spec.cap or 1)
        self.spec = replace(spec, groups=groups_digest(order))

    def as_dict(self) -> dict[str, Any]:
        """Method, numbers, the groups' sha256 and key_id."""
        return {**self.spec.as_dict(), "key_id": self.key.id}

    def published(self, scores: Scores) -> dict[str, npt.NDArray[np.float64]]:
        """The share of green codes among all, repeats counted, under the greenest list; the authors' threshold is 0.615."""
        share = self.pool.scheme.gamma
        spread = np.sqrt(share * (1 - share) / np.maximum(scores.codes, 1))
        return {"green_ratio": share + scores.z_uncalibrated * spread}


def indexmark(spec: MarkSpec, key: Key, subject: Subject) -> Mark:
    """The mark on the codebook of `subject`; raises `EvalkitError` where it has none."""
    subject.indices("indexmark")
    order = near_groups(subject.vectors("indexmark"), round(1 / (spec.gamma or 0.5)))
    check_groups(groups_digest(order), spec.groups, "indexmark")
    return IndexMark(spec, key, subject.tokenizer, order)
