"""From a spec and a key to the mark that embeds and detects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.identity import tokenizer_identity
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods.bitmark import bitmark
from evalkit.watermark.methods.clusters import clusters
from evalkit.watermark.methods.dipmark import dipmark
from evalkit.watermark.methods.gumbel import gumbel
from evalkit.watermark.methods.indexmark import indexmark
from evalkit.watermark.methods.kgw import kgw
from evalkit.watermark.methods.lbw import lbw
from evalkit.watermark.methods.payload import payload
from evalkit.watermark.methods.places import places
from evalkit.watermark.methods.subject import Floats, Subject, codebook_of
from evalkit.watermark.methods.tournament import tournament
from evalkit.watermark.methods.wmar import wmar
from evalkit.watermark.spec import MarkSpec, numbers_of

METHODS: dict[str, Callable[[MarkSpec, Key, Subject], Mark]] = {
    "lbw": lbw,
    "kgw": kgw,
    "wmar": wmar,
    "indexmark": indexmark,
    "clusters": clusters,
    "places": places,
    "bitmark": bitmark,
    "payload": payload,
    "gumbel": gumbel,
    "dipmark": dipmark,
    "tournament": tournament,
}


def build_mark(
    spec: MarkSpec,
    key: Key,
    tokenizer: str,
    vocabulary: int,
    *,
    frequencies: npt.NDArray[Any] | None = None,
    codebook: Callable[[], Floats] | None = None,
    bits: int | None = None,
    packed: bool = True,
) -> Mark:
    """The mark of `spec` and `key` for the tokenizer with the identity `tokenizer` of `vocabulary` codes.

    `frequencies` [V]: for paired lists and strata. `codebook`: gives [V, d], for pairs and clusters of near codes.
    `bits`, `packed`: of a code whose bits mean something by themselves, and whether an index holds them.
    """
    numbers_of(spec.method)
    return METHODS[spec.method](spec, key, Subject(tokenizer, vocabulary, frequencies, codebook, bits, packed))


def mark_for(spec: MarkSpec, key: Key, tokenizer: Tokenizer, *, frequencies: npt.NDArray[Any] | None = None) -> Mark:
    """The mark of `spec` and `key` for a loaded tokenizer."""
    rate = tokenizer.bits_per_code()
    unpacked = round(rate) if rate is not None and not tokenizer.vocab_size else None
    if frequencies is not None and len(frequencies) != (tokenizer.vocab_size or 0):
        raise EvalkitError(
            f"the frequencies are of {len(frequencies)} codes; {tokenizer.name} has {tokenizer.vocab_size or 'none'}"
        )
    return build_mark(
        spec,
        key,
        tokenizer_identity(tokenizer),
        tokenizer.vocab_size or 2,
        frequencies=frequencies,
        codebook=lambda: codebook_of(tokenizer),
        bits=unpacked or tokenizer.bits_of_index,
        packed=unpacked is None,
    )
