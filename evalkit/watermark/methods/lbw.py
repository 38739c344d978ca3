"""LBW (arXiv 2506.01011): fixed lists of green codes, one of a pool for each image; `LexicalBias` is the method."""

from __future__ import annotations

from evalkit.watermark.keys import Key
from evalkit.watermark.lists import make_pool
from evalkit.watermark.mark import LexicalBias, Mark
from evalkit.watermark.methods.subject import Subject
from evalkit.watermark.spec import MarkSpec


def lbw(spec: MarkSpec, key: Key, subject: Subject) -> Mark:
    """The mark of a pool of lists over all codes."""
    pool = make_pool(key, subject.tokenizer, subject.indices("lbw"), spec.scheme(), subject.frequencies)
    return LexicalBias(pool, key, subject.tokenizer, spec.cap or 1)
