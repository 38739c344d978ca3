"""Marks as plain data before they are made: what a plan states of them, and where their keys lie here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.jobs.live import hold
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.identity import tokenizer_identity
from evalkit.watermark.keys import Key, read_key
from evalkit.watermark.lists import histogram_digest
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods.files import MarkFile
from evalkit.watermark.methods.subject import read_frequencies
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
    found = [each if isinstance(each, Key) else read_key(each) for each in keys]
    counts = read_frequencies(frequencies) if isinstance(frequencies, str | Path) else frequencies
    digest = None if counts is None else histogram_digest(counts)
    said = [{**_with(spec, digest).as_dict(), "key_id": key.id} for key in found for spec in specs]
    source = hold(frequencies) if counts is frequencies and counts is not None else frequencies
    here = {
        "keys": {key.id: key.source or hold(key) for key in found},
        "frequencies": None if source is None else str(source),
    }
    if file is not None:
        file.check(found[0])
    kept = (*found, frequencies)
    return PlainMark(said[0] if len(said) == 1 else {"marks": said}, here, kept, file)


def live_mark(mark: Mark) -> PlainMark:
    """A mark that a caller made; another process makes it again where its keys came from files or variables."""
    keys = {each.key.id: each.key.source for each in getattr(mark, "marks", (mark,))}
    return PlainMark(mark.as_dict(), {"mark": hold(mark), "keys": keys, "frequencies": None}, (mark,))


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


def check_tokenizer(mark: Mark, tokenizer: Tokenizer) -> None:
    """Raise `EvalkitError` unless the mark is made for this tokenizer."""
    identity = tokenizer_identity(tokenizer)
    if mark.tokenizer != identity:
        raise EvalkitError(f"the mark is made for {mark.tokenizer}; the tokenizer is {identity}. Give the mark's own")
