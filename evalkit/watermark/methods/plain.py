"""Marks as plain data: what a plan states of them, where their keys lie here, and the same marks made again by a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.jobs.live import held, hold, is_live
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.identity import tokenizer_identity
from evalkit.watermark.keys import Key, read_key
from evalkit.watermark.lists import histogram_digest
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods.build import mark_for
from evalkit.watermark.methods.files import MarkFile
from evalkit.watermark.methods.several import Several
from evalkit.watermark.methods.subject import Floats, read_frequencies
from evalkit.watermark.spec import MarkSpec


@dataclass(frozen=True)
class PlainMark:
    """One mark, or several that are looked for together.

    `said`: as `Mark.as_dict` says it; groups of near codes may be None, since the codebook decides them. `here`: where the
    keys (by their id) and the histogram lie, or a reference of `live`; no plan holds it. `kept`: what the references mean.
    `file`: the mark.json that it was read from.
    """

    said: Mapping[str, Any]
    here: Mapping[str, Any]
    kept: tuple[object, ...] = field(default=(), repr=False)
    file: MarkFile | None = None

    @property
    def whole(self) -> bool:
        """Whether `said` is all that the mark made from it will say."""
        return not any("groups" in each and _near(each) and each["groups"] is None for each in members(self.said))


def plain_marks(
    specs: Sequence[MarkSpec],
    keys: Sequence[str | Path | Key],
    frequencies: npt.NDArray[Any] | str | Path | None = None,
    file: MarkFile | None = None,
) -> PlainMark:
    """The marks of every key in every spec.

    `keys`: files, env:NAME, or keys. `frequencies` [V]: counts of codes, or their file. `file`: where the specs are from.
    Raises `EvalkitError` where a key or the histogram cannot be read, or the first key is not that of the file.
    """
    named = [(each, hold(each)) if isinstance(each, Key) else (read_key(each), str(each)) for each in keys]
    counts = read_frequencies(frequencies) if isinstance(frequencies, str | Path) else frequencies
    digest = None if counts is None else histogram_digest(counts)
    said = [{**_with(spec, digest).as_dict(), "key_id": key.id} for key, _ in named for spec in specs]
    source = hold(frequencies) if counts is frequencies and counts is not None else frequencies
    here = {
        "keys": {key.id: name for key, name in named},
        "frequencies": None if source is None else str(source),
    }
    if file is not None:
        file.check_id(named[0][0].id)
    kept = (*(key for key, _ in named), frequencies)
    return PlainMark(said[0] if len(said) == 1 else {"marks": said}, here, kept, file)


def live_mark(mark: Mark) -> PlainMark:
    """A mark that a caller made: only this process can open it."""
    return PlainMark(mark.as_dict(), {"mark": hold(mark)}, (mark,))


def made_mark(said: Mapping[str, Any], here: Mapping[str, Any], tokenizer: Tokenizer) -> Mark:
    """The mark behind plain data; raises `EvalkitError` where keys, histogram or tokenizer are not those of the plan."""
    if "mark" in here:
        found: Mark = held(here["mark"])
        return found
    keys = {id: _key(id, source) for id, source in here["keys"].items()}
    counts = _counts(here.get("frequencies"))
    marks = [
        mark_for(MarkSpec.from_dict(each), keys[each["key_id"]], tokenizer, frequencies=counts)
        for each in members(said)
    ]
    return marks[0] if len(marks) == 1 else Several(marks)


def members(said: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What is said of each of the marks."""
    found: Sequence[Mapping[str, Any]] = said.get("marks") or (said,)
    return found


def _with(spec: MarkSpec, digest: str | None) -> MarkSpec:
    """The spec with the histogram's digest where its lists follow from a histogram."""
    follows = spec.method == "wmar" or (spec.method == "lbw" and spec.kind == "paired")
    return replace(spec, frequencies=digest) if follows and digest and spec.frequencies is None else spec


def _near(said: Mapping[str, Any]) -> bool:
    return said["method"] != "places" or said.get("clusters") is not None


def _key(id: str, source: str) -> Key:
    key: Key = held(source) if is_live(source) else read_key(source)
    if key.id != id:
        raise EvalkitError(f"{source} holds the key {key.id} now, the run was planned with {id}. Give a fresh --out")
    return key


def _counts(source: str | None) -> Floats | None:
    if source is None:
        return None
    return held(source) if is_live(source) else read_frequencies(source)


def check_tokenizer(mark: Mark, tokenizer: Tokenizer) -> None:
    """Raise `EvalkitError` unless the mark is made for this tokenizer."""
    identity = tokenizer_identity(tokenizer)
    if mark.tokenizer != identity:
        raise EvalkitError(f"the mark is made for {mark.tokenizer}; the tokenizer is {identity}. Give the mark's own")
