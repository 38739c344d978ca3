"""`calibrate_watermark`: statistics of images that are known not to be marked, and how often each code occurs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.sample import ImageSet
from evalkit.jobs.job import Progress
from evalkit.jobs.timers import Timers
from evalkit.stats.multiplicity import benjamini_hochberg
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.calibration import (
    Calibration,
    Strata,
    conditions_of,
    strata_edges,
    write_calibration,
)
from evalkit.watermark.detection.detect import CELL, Cache
from evalkit.watermark.detection.layout import batch_of
from evalkit.watermark.detection.phash import groups
from evalkit.watermark.detection.reader import Read, Reader
from evalkit.watermark.detection.scan import Scanner
from evalkit.watermark.detection.verdict import DEEPEST, hypotheses_of
from evalkit.watermark.detection.views import read_search
from evalkit.watermark.identity import tokenizer_identity
from evalkit.watermark.mark import Mark

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
AT_ONCE = 512
ALWAYS = 1e-300  # every null image is searched, which can only make calibrated p-values larger
MARKED = 0.01  # false discovery rate at which a null image looks marked


@dataclass(frozen=True)
class Calibrated:
    """A calibration with what a person must know of it: `failed` images (id, reason), `copies` that were left out,
    and `warnings`.
    """

    calibration: Calibration
    pictures: int
    copies: int
    failed: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]

    @property
    def strata(self) -> dict[str, int]:
        """How many null images lie in each stratum, by its range of design effects."""
        if not len(self.calibration.statistic):
            return {}
        counts = np.bincount(
            self.calibration.strata(self.calibration.effect), minlength=len(self.calibration.edges) + 1
        )
        edges = ["1", *(f"{edge:g}" for edge in self.calibration.edges), "more"]
        return {f"design effect {a} to {b}": int(n) for a, b, n in zip(edges, edges[1:], counts, strict=False)}


def calibrate_watermark(
    data: str | Path | ImageSet,
    tokenizer: Tokenizer,
    mark: Mark | None,
    out: str | Path,
    *,
    search: str = "none",
    strata: Strata = "flatness",
    cache: Cache = None,
    batch_size: int | Literal["auto"] = "auto",
    threads: int = 2,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Calibrated:
    """Write the calibration of `mark` on the null images `data` to `out` (.npz or .json), and give it back.

    Without `mark` only the frequencies of codes are counted, which paired lists are made from. Of near-duplicates the
    first alone counts. `search` must be the detector's. Killed and typed again, images in the cache are not encoded
    again. Raises `EvalkitError` where no image could be read.
    """
    if Path(out).suffix not in (".npz", ".json"):
        raise EvalkitError(f"{out}: a calibration is an .npz or a .json file; give such a name")
    identity = tokenizer_identity(tokenizer)
    if mark is not None and mark.tokenizer != identity:
        raise EvalkitError(f"the mark is made for {mark.tokenizer}; the tokenizer is {identity}")
    views = read_search(search, tokenizer.multiple if tokenizer.multiple > 1 else CELL)
    images = data if isinstance(data, ImageSet) else open_images(data)
    n = len(images) if limit is None else min(limit, len(images))
    told, kept, timers = progress or Progress(), CodeCache(":memory:" if cache is False else cache), Timers()
    reader = Reader(images, tokenizer, kept, batch_size=batch_of(tokenizer, batch_size), threads=threads, timers=timers)
    scanner = None if mark is None else Scanner(reader, mark, views, ALWAYS)
    nulls = _Nulls(reader.vocabulary if len(reader.shape) == 1 else 0)
    for remark in images.remarks():
        told.note(remark)
    told.start(f"calibrating on {images.name}", n)
    try:
        for start in range(0, n, AT_ONCE):
            positions = range(start, min(start + AT_ONCE, n))

            def tick(done: int) -> None:
                told.advance(done, timers=timers)

            if scanner is None:
                nulls.add(reader.read(positions, tick), reader)
            else:
                found = scanner.scan(positions, tick)
                nulls.add(found.read, reader)
                nulls.parts.append((found.statistic, found.best.design_effect, found.log_p))
    finally:
        told.finish()
        kept.close()
    if not nulls.digests:
        raise EvalkitError(f"none of the {n} images of {images.spec} could be read; the first: {nulls.failed[0][1]}")
    done = nulls.folded(conditions_of(mark, tokenizer, views), strata)
    write_calibration(out, done.calibration)
    return done


class _Nulls:
    """What is gathered over null images."""

    def __init__(self, vocabulary: int) -> None:
        self.frequencies = np.zeros(vocabulary, dtype=np.int64)
        self.failed: list[tuple[str, str]] = []
        self.digests: list[str] = []
        self.seen: set[str] = set()
        self.hashes: list[int] = []
        self.parts: list[tuple[Floats, Floats, Floats]] = []

    def add(self, read: Sequence[Read], reader: Reader) -> None:
        """The images of one piece of the set."""
        self.failed += [(each.id, each.reason) for each in read if each.reason is not None]
        kept = [(each.sha256 or "", each.kept) for each in read if each.kept is not None]
        seen = self.seen
        fresh = list({digest: each for digest, each in kept if digest not in seen}.values())
        if fresh and len(self.frequencies):
            codes = reader.codes(fresh)
            self.frequencies += np.bincount(codes[codes >= 0], minlength=len(self.frequencies))
        self.digests += [digest for digest, _ in kept]
        self.seen.update(digest for digest, _ in kept)
        self.hashes += [each.phash for _, each in kept]

    def folded(self, conditions: Mapping[str, Any], strata: Strata) -> Calibrated:
        """The calibration over the first of each group of near-duplicates."""
        hashes = np.asarray(self.hashes, np.int64)
        _, content = np.unique(self.digests, return_inverse=True)
        group = hypotheses_of(hashes, groups(hashes), content)
        first = np.flatnonzero(group == np.arange(len(group)))
        empty = np.zeros(0)
        if self.parts:
            statistic, effect, log_p = (np.concatenate(column)[first] for column in zip(*self.parts, strict=True))
        else:
            statistic, effect, log_p = empty, empty, empty
        suspicious = int((benjamini_hochberg(np.exp(np.maximum(log_p, DEEPEST))) <= MARKED).sum()) if len(log_p) else 0
        edges = strata_edges(effect, strata)
        calibration = Calibration(statistic, effect, edges, self.frequencies, conditions, suspicious)
        warnings = contamination(log_p, suspicious)
        return Calibrated(calibration, len(group), len(group) - len(first), tuple(self.failed), warnings)


def contamination(log_p: Floats, suspicious: int) -> tuple[str, ...]:
    """What speaks against null images: some that look marked, or a key that suits them."""
    said = []
    if suspicious:
        said.append(
            f"{suspicious} of {len(log_p)} null images look marked (q at most {MARKED}, smallest p "
            f"{np.exp(max(float(log_p.min()), DEEPEST)):.1e}); take marked images out, or calibrated p-values are too large"
        )
    small = int((log_p <= np.log(0.05)).sum())
    if len(log_p) and binom.sf(small - 1, len(log_p), 0.05) < 1e-3:
        said.append(
            f"{small} of {len(log_p)} null images have an exact p of at most 0.05, more than chance gives: this key "
            "suits such images. Decide by the calibrated p-values (--decide larger), or draw another key or epoch"
        )
    return tuple(said)
