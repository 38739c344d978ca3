"""KGW on image codes (Kirchenbauer et al. 2023, arXiv 2301.10226): a list of exact size for each code before.

The authors' test counts every token; here each pair of a code and the one before counts once, because repeated pairs are
one coin. Their list is seeded with a small number; here by the key.
"""

from __future__ import annotations

import numpy as np

from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods.contexts import ContextMark
from evalkit.watermark.methods.subject import Subject
from evalkit.watermark.spec import MarkSpec


def kgw(spec: MarkSpec, key: Key, subject: Subject) -> Mark:
    """One list for all codes (`context` 0), or one for each code before (1)."""
    return ContextMark(spec, key, subject.tokenizer, np.zeros(subject.indices("kgw"), dtype=np.int64))
