"""Marks and tokenizers in a spec: what decides as plain data, and where keys and weights lie. A key is never in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jobs.live import find, hold
from evalkit.jobs.spec import ModelRef
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.keys import read_key
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import mark_for
from evalkit.watermark.methods.subject import read_frequencies
from evalkit.watermark.spec import MarkSpec


def tokenizer_ref(tokenizer: Tokenizer, dtype: str) -> ModelRef:
    """A reference to a loaded tokenizer by its name and weights."""
    return ModelRef(tokenizer.name, tokenizer.weights_sha256, dtype, weights=tokenizer.weights_source)


def sources_of(tokenizer: Tokenizer, mark: Mark, frequencies: str | Path | None = None) -> dict[str, Any]:
    """What `here` of a spec says: objects of this process to save a second loading, and the key's file or variable."""
    listed = None if frequencies is None else str(frequencies)
    return {"tokenizer": hold(tokenizer), "mark": hold(mark), "key": mark.key.source, "frequencies": listed}


def opened_tokenizer(model: ModelRef, here: Mapping[str, Any], device: str) -> Tokenizer:
    """The tokenizer of a spec; raises `EvalkitError` where its weights are others here."""
    made: Tokenizer | None = find(here.get("tokenizer"))
    if made is None:
        made = load_tokenizer(model.name, model.weights, device, model.dtype)
    if made.weights_sha256 != model.sha256:
        raise EvalkitError(f"the weights of {model.name} are not those of the run. Give its own with --weights")
    return made


def opened_mark(said: Mapping[str, Any], here: Mapping[str, Any], tokenizer: Tokenizer) -> Mark:
    """The mark whose `as_dict` a spec holds, with the key that `here` names; raises `EvalkitError` where it is another."""
    made: Mark | None = find(here.get("mark"))
    if made is None:
        if here.get("key") is None:
            raise EvalkitError("the key was given as an object and cannot be sent. Give its file, or env:NAME")
        listed = here.get("frequencies")
        counts = None if listed is None else read_frequencies(listed)
        numbers = {name: value for name, value in said.items() if name != "key_id"}
        made = mark_for(MarkSpec.from_dict(numbers), read_key(str(here["key"])), tokenizer, frequencies=counts)
    if made.as_dict() != dict(said):
        raise EvalkitError("the key or the mark is not that of the run. Give the key that the run was planned with")
    return made
