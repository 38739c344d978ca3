"""Whose the weight files of a generation are: the generator's, its tokenizer's, its draft's."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.errors import EvalkitError
from evalkit.generators.registry import GENERATORS
from evalkit.jobs.options import weights_by_name
from evalkit.tokenizers.registry import TOKENIZERS


def model_weights(
    given: Sequence[str], name: str, draft: str | None = None, *, elsewhere: bool = False
) -> dict[str, str]:
    """Paths by model (`weights_by_name`); FILE is the generator's, and `tokenizer` and `draft` are names, too."""
    try:
        tokenizer = GENERATORS.get(name).tokenizer
    except EvalkitError:  # an object of the caller's own
        tokenizer = None
    roles = {"tokenizer": tokenizer or "tokenizer", "draft": draft or "draft"}
    models = [each for each in (name, tokenizer, draft) if each]

    def canonical(key: str) -> str:
        if key in models or key in roles:
            return roles.get(key, key)
        for registry in (GENERATORS, TOKENIZERS):
            try:
                return registry.canonical(key)
            except EvalkitError:
                continue
        return key

    return weights_by_name(given, models, main=name, canonical=canonical, elsewhere=elsewhere)
