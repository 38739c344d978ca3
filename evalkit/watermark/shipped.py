"""Marks and tokenizers in a spec: what decides as plain data, and where keys and weights lie. A key is never in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.jobs.live import find, held, hold, is_live
from evalkit.jobs.options import weights_by_name
from evalkit.jobs.spec import ModelRef
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import describe_tokenizer, load_tokenizer, tokenizer_alias
from evalkit.watermark.keys import Key, read_key
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import Several, mark_for
from evalkit.watermark.methods.plain import members
from evalkit.watermark.methods.subject import Floats, read_frequencies
from evalkit.watermark.spec import MarkSpec


def tokenizer_ref(tokenizer: Tokenizer, dtype: str) -> ModelRef:
    """A reference to a loaded tokenizer by its name and weights."""
    return ModelRef(tokenizer.name, tokenizer.weights_sha256, dtype, weights=tokenizer.weights_source)


def named_tokenizer(
    name: str, weights: Sequence[str] = (), dtype: str = "float32", *, compiled: bool = False
) -> tuple[ModelRef, Tokenizer]:
    """(reference, the tokenizer with its sizes, which cannot encode); `weights`: FILE, or NAME=FILE each, as `--weights`."""
    known = describe_tokenizer(name, weights_of(name, weights))
    settings = {"compile": True} if compiled and isinstance(known, NetworkTokenizer) else {}
    return ModelRef(known.name, known.weights_sha256, dtype, settings, known.weights_source), known


def weights_of(name: str, given: Sequence[str], *, elsewhere: bool = False) -> str | None:
    """What `--weights` gives the tokenizer `name` (`weights_by_name`).

    >>> weights_of("var", ["var=b.pt"])
    'b.pt'
    """
    name = tokenizer_alias(name)
    return weights_by_name(given, [name], canonical=tokenizer_alias, elsewhere=elsewhere).get(name)


def identity_of(model: ModelRef) -> str:
    """What `tokenizer_identity` says of the tokenizer behind a reference."""
    return f"{model.name}@{model.sha256 or 'none'}"


def sources_of(tokenizer: Tokenizer, mark: Mark, frequencies: str | Path | None = None) -> dict[str, Any]:
    """What `here` of a spec says: objects of this process to save a second loading, and the key's file or variable."""
    listed = None if frequencies is None else str(frequencies)
    return {"tokenizer": hold(tokenizer), "mark": hold(mark), "key": mark.key.source, "frequencies": listed}


def opened_tokenizer(model: ModelRef, here: Mapping[str, Any], device: str) -> Tokenizer:
    """The tokenizer of a spec; raises `EvalkitError` where its weights are others here."""
    made: Tokenizer | None = find(here.get("tokenizer"))
    if made is None:
        made = load_tokenizer(model.name, model.weights, device, model.dtype)
        if model.settings.get("compile") and isinstance(made, NetworkTokenizer):
            made.compile()
    if made.weights_sha256 != model.sha256:
        raise EvalkitError(f"the weights of {model.name} are not those of the run. Give its own with --weights")
    return made


def opened_mark(said: Mapping[str, Any], here: Mapping[str, Any], tokenizer: Tokenizer) -> Mark:
    """The mark, or several, whose `as_dict` a spec holds, with the keys that `here` names (`keys` by their id, or `key`).

    Raises `EvalkitError` where it is another.
    """
    made: Mark | None = find(here.get("mark"))
    if made is None:
        counts = _counts(here.get("frequencies"))
        marks = [mark_for(_spec(each), _key(each, here), tokenizer, frequencies=counts) for each in members(said)]
        made = marks[0] if len(marks) == 1 else Several(marks)
    if not _agree(made.as_dict(), said):
        raise EvalkitError("the key or the mark is not that of the run. Give the key that the run was planned with")
    return made


def _spec(said: Mapping[str, Any]) -> MarkSpec:
    return MarkSpec.from_dict({name: value for name, value in said.items() if name != "key_id"})


def _key(said: Mapping[str, Any], here: Mapping[str, Any]) -> Key:
    source = here.get("keys", {}).get(said["key_id"], here.get("key"))
    if source is None:
        raise EvalkitError("the key was given as an object and cannot be sent. Give its file, or env:NAME")
    key: Key = held(source) if is_live(source) else read_key(str(source))
    return key


def _counts(source: str | None) -> Floats | None:
    if source is None:
        return None
    counts: Floats = held(source) if is_live(source) else read_frequencies(source)
    return counts


def _agree(made: Mapping[str, Any], said: Mapping[str, Any]) -> bool:
    """Whether a mark says what was planned; groups of near codes that nobody knew when it was planned are new."""
    pairs = list(zip(members(made), members(said), strict=False))
    known = [{k: v for k, v in a.items() if k != "groups" or b.get(k) is not None} for a, b in pairs]
    planned = [{k: v for k, v in b.items() if k != "groups" or v is not None} for _, b in pairs]
    return len(members(made)) == len(members(said)) and known == planned
