"""What a detection and a calibration share: how both are planned as plain data, and what a worker of either holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evalkit.errors import EvalkitError
from evalkit.images.sample import ImageSet
from evalkit.jobs.live import hold
from evalkit.jobs.options import RunOptions
from evalkit.jobs.spec import ModelRef, Spec
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.calibration import conditions_of
from evalkit.watermark.detection.data import Looked, looked_at, opened_images
from evalkit.watermark.detection.layout import batch_of
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.detection.search import read_search
from evalkit.watermark.detection.views import View
from evalkit.watermark.identity import preparation_id, tokenizer_identity
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods.plain import PlainMark, members
from evalkit.watermark.shipped import named_tokenizer, opened_mark, opened_tokenizer, tokenizer_ref

CELL = 16  # pixels of a code where a tokenizer does not say
Cache = str | Path | Literal[False] | None


@dataclass(frozen=True)
class Planned:
    """A scan before it begins. `tokenizer` has sizes, and may be without weights; `mark` is None where codes are counted."""

    looked: Looked
    ref: ModelRef
    tokenizer: Tokenizer
    mark: PlainMark | None
    views: tuple[View, ...]
    here: Mapping[str, Any]

    @property
    def parameters(self) -> dict[str, Any]:
        """Mark, views and preparation: what decides the codes that are scored."""
        return {
            "mark": None if self.mark is None else self.mark.said,
            "search": [view.as_dict() for view in self.views],
            "preparation": preparation_id(self.tokenizer),
        }

    @property
    def conditions(self) -> dict[str, Any]:
        """What a calibration and the detector that uses it must have in common."""
        return conditions_of(None if self.mark is None else self.mark.said, self.tokenizer, self.views)


def planned(
    data: str | Path | ImageSet,
    tokenizer: str | Tokenizer,
    mark: PlainMark | None,
    search: str,
    cache: Cache,
    options: RunOptions,
) -> Planned:
    """A scan of `data` for `mark`; raises `EvalkitError` where a name, a file or a search is wrong."""
    if isinstance(tokenizer, str):
        ref, known = named_tokenizer(tokenizer, options.weights, options.dtype, compiled=options.compile)
    else:
        ref, known = tokenizer_ref(tokenizer, options.dtype), tokenizer
    identity = tokenizer_identity(known)  # says where it has no codes
    if mark is not None and mark.file is not None:
        mark.file.check_tokenizer(identity)
    views = views_for(search, known, {} if mark is None else mark.said)
    looked = looked_at(data, options.limit)
    here = {
        "batch_size": options.batch_size,
        "threads": options.threads,
        "cache": ":memory:" if cache is False else None if cache is None else str(cache),
        "data": looked.about,
        **({} if mark is None else mark.here),
        "tokenizer": None if isinstance(tokenizer, str) else hold(tokenizer),
    }
    return Planned(looked, ref, known, mark, views, here)


def views_for(search: str, tokenizer: Tokenizer, said: Mapping[str, Any]) -> tuple[View, ...]:
    """The views of a spelling for a mark, as `Mark.as_dict` says it, in the codes of a tokenizer."""
    placed = bool(said) and any(
        "places" in (each["method"], each.get("carrier"), each.get("seeded")) for each in members(said)
    )
    return read_search(search, tokenizer.multiple if tokenizer.multiple > 1 else CELL, placed=placed)


@dataclass(frozen=True)
class Opened:
    """What a worker holds: `states` of the sources when it was opened, and the mark with the views that are tried."""

    images: ImageSet
    states: Sequence[str]
    tokenizer: Tokenizer
    cache: CodeCache
    reader: Reader
    mark: Mark | None
    views: tuple[View, ...]
    dtype: str

    @property
    def conditions(self) -> dict[str, Any]:
        """As `Planned.conditions`, with all that the mark says now that it is made."""
        return conditions_of(None if self.mark is None else self.mark.as_dict(), self.tokenizer, self.views)

    def model(self) -> dict[str, Any]:
        """What the record says of the tokenizer."""
        return {
            "name": self.tokenizer.name,
            "identity": tokenizer_identity(self.tokenizer),
            "weights_sha256": self.tokenizer.weights_sha256,
            "preparation": preparation_id(self.tokenizer),
            "device": str(getattr(self.tokenizer, "device", "cpu")),
            "dtype": self.dtype,
        }


def opened(spec: Spec, device: str) -> Opened:
    """Images, tokenizer, cache and mark of a spec; raises `EvalkitError` where something is not what was planned."""
    images, states = opened_images(spec.inputs["data"])
    ref, here = spec.models["tokenizer"], spec.here
    tokenizer = opened_tokenizer(ref, here, device)
    if preparation_id(tokenizer) != spec.parameters["preparation"]:
        raise EvalkitError(
            f"{ref.name} prepares images in another way than the run was planned with. Give a fresh --out"
        )
    said = spec.parameters["mark"]
    mark = None if said is None else opened_mark(said, here, tokenizer)
    views = tuple(View(**each) for each in spec.parameters["search"])
    cache = CodeCache(here.get("cache"))
    batch = batch_of(tokenizer, here.get("batch_size", "auto"))
    reader = Reader(images, tokenizer, cache, batch_size=batch, threads=int(here.get("threads", 2)))
    return Opened(images, states, tokenizer, cache, reader, mark, views, ref.dtype)
