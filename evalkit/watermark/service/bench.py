"""The marks of a key ring made ready: one tokenizer for all marks of its codes, and what did not change is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.decoys.base import Decoys
from evalkit.watermark.decoys.families import decoys_of
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.calibration import Calibration, conditions_of
from evalkit.watermark.detection.calibration_file import read_calibration
from evalkit.watermark.detection.decoy_scores import planned_decoys, usual_decoys
from evalkit.watermark.detection.scan_spec import views_for
from evalkit.watermark.detection.search import prices
from evalkit.watermark.detection.views import View
from evalkit.watermark.identity import tokenizer_identity
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import mark_for
from evalkit.watermark.methods.subject import read_frequencies
from evalkit.watermark.service.codes import Coder
from evalkit.watermark.service.ring import Entry, Ring
from evalkit.watermark.service.ring_file import key_of, placed, read_ring
from evalkit.watermark.shipped import weights_of

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Models:
    """How tokenizers are loaded; `weights`: FILE, or NAME=FILE each."""

    device: str = "auto"
    dtype: str = "float32"
    weights: tuple[str, ...] = ()


@dataclass(frozen=True)
class Held:
    """A mark of the ring that can be looked for."""

    entry: Entry
    mark: Mark
    calibration: Calibration | None = None
    views: tuple[View, ...] = ()

    @property
    def prices(self) -> Floats:
        """By how much p is multiplied for the image itself, and for each view."""
        return prices(self.views)

    @cached_property
    def decoys(self) -> Decoys | None:
        """Decoy keys for images that come together; None with a calibration, and for methods that have none."""
        said = self.mark.as_dict()
        count = 0 if self.calibration is not None else usual_decoys(said, len(self.views))
        return decoys_of(self.mark, count, planned_decoys(said, count, 0)["seed"]) if count else None


@dataclass(frozen=True)
class Bench:
    """A ring with its marks (but the revoked ones), and a coder for each tokenizer's identity."""

    ring: Ring
    held: tuple[Held, ...] = ()
    coders: tuple[Coder, ...] = ()

    def valid(self, now: datetime) -> tuple[Held, ...]:
        """The marks that are looked for at this time."""
        return tuple(each for each in self.held if each.entry.valid(now))

    @property
    def tokenizers(self) -> dict[str, Tokenizer]:
        """The loaded tokenizers by identity."""
        return {each.identity: each.tokenizer for each in self.coders}


def open_bench(path: str | Path, models: Models, cache: CodeCache, before: Bench | None = None) -> Bench:
    """The marks of the ring at `path`; what `before` holds of them is taken over.

    Raises `EvalkitError` where the ring, a key, a calibration or a tokenizer is not what the ring says.
    """
    ring = read_ring(path)
    wanted = [each for each in ring.entries if each.state != "revoked"]
    loaded = dict(before.tokenizers) if before is not None else {}
    made = {_same(each.entry): each for each in before.held} if before is not None else {}
    held = []
    for entry in wanted:
        tokenizer = loaded.get(entry.tokenizer) or _loaded(entry, models)
        loaded[entry.tokenizer] = tokenizer
        old = made.get(_same(entry))
        held.append(replace(old, entry=entry) if old else _held(entry, path, tokenizer))
    return Bench(ring, tuple(held), _coders(wanted, loaded, cache, before))


def _coders(
    wanted: Sequence[Entry], loaded: dict[str, Tokenizer], cache: CodeCache, before: Bench | None
) -> tuple[Coder, ...]:
    old = {each.tokenizer: each for each in before.coders} if before is not None else {}
    used = [loaded[identity] for identity in dict.fromkeys(each.tokenizer for each in wanted)]
    return tuple(old.get(each) or Coder(each, cache) for each in used)


def _loaded(entry: Entry, models: Models) -> Tokenizer:
    name = entry.tokenizer_name
    found = load_tokenizer(name, weights_of(name, models.weights, elsewhere=True), models.device, models.dtype)
    if tokenizer_identity(found) != entry.tokenizer:
        raise EvalkitError(f"the weights of {name} are not those of the entry {entry.id}. Give its own with --weights")
    return found


def _held(entry: Entry, path: str | Path, tokenizer: Tokenizer) -> Held:
    counts = None if entry.frequencies is None else read_frequencies(placed(entry.frequencies, path))
    mark = mark_for(entry.mark, key_of(entry, path), tokenizer, frequencies=counts)
    views = views_for(entry.search, tokenizer, mark.as_dict())
    if entry.calibration is None:
        return Held(entry, mark, None, views)
    file = placed(entry.calibration, path)
    calibration = read_calibration(file)
    calibration.check(conditions_of(mark.as_dict(), tokenizer, views), file)
    return Held(entry, mark, calibration, views)


def _same(entry: Entry) -> Entry:
    """What of an entry decides its mark."""
    return replace(entry, id="same", state="active", since=None, until=None)
