"""Pairs of several sources in one list: no target twice, and no wording in both splits."""

from __future__ import annotations

from collections.abc import Iterable

from evalkit.erasure.pairs.asking import plain_words
from evalkit.erasure.pairs.pair import Pair


def deduplicated(pairs: Iterable[Pair]) -> tuple[tuple[Pair, ...], int]:
    """(pairs in their order, how many were left out); of equal targets, up to case and punctuation, the first stays.

    A target that is another split's replacement is left out too.
    """
    given = list(pairs)
    replaced = {split: {_key(pair.replacement) for pair in given if pair.split == split} for split in ("train", "test")}
    kept: dict[str, Pair] = {}
    for pair in given:
        key = _key(pair.target)
        other = "test" if pair.split == "train" else "train"
        if key not in kept and key not in replaced[other]:
            kept[key] = pair
    return tuple(kept.values()), len(given) - len(kept)


def _key(text: str) -> str:
    return " ".join(plain_words(text)) or text
