"""WMAR (arXiv 2506.16349): KGW on image codes with equal shares of green among codes that occur and codes that never do.

Detection counts distinct pairs, as the authors do. Their stratified split cuts the number of green codes off (242 of
971); here it is rounded, and the test knows the exact size of each list in each stratum.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.watermark.keys import Key
from evalkit.watermark.lists import histogram_digest
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods.contexts import ContextMark
from evalkit.watermark.methods.subject import Subject
from evalkit.watermark.spec import MarkSpec


def wmar(spec: MarkSpec, key: Key, subject: Subject) -> Mark:
    """With frequencies two strata: codes that occur, and codes that do not; without, one."""
    vocabulary = subject.indices("wmar")
    if subject.frequencies is None:
        if spec.frequencies is not None:
            raise EvalkitError("the mark was made with a histogram of codes; give it with --frequencies FILE")
        return ContextMark(spec, key, subject.tokenizer, np.zeros(vocabulary, dtype=np.int64))
    digest = histogram_digest(subject.frequencies)
    if spec.frequencies not in (None, digest) or len(subject.frequencies) != vocabulary:
        raise EvalkitError(
            f"the histogram has {len(subject.frequencies)} codes and digest {digest[:12]}; the mark wants {vocabulary} "
            f"and {(spec.frequencies or 'any')[:12]}"
        )
    dead = np.asarray(subject.frequencies) <= 0
    strata = dead.astype(np.int64) if dead.any() and not dead.all() else np.zeros(vocabulary, dtype=np.int64)
    return ContextMark(replace(spec, frequencies=digest), key, subject.tokenizer, strata)
