"""Images to codes: from the cache where the file is known, else decoded, fitted, looked at and encoded in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.images.folder import FolderSet
from evalkit.images.loader import fitted, shown
from evalkit.images.sample import ImageSet, Pixels, Sample, Unreadable
from evalkit.jobs.timers import Timers
from evalkit.tokenizers.base import Codes, Tokenizer
from evalkit.watermark.detection.cache import CodeCache, Kept, packed, unpacked
from evalkit.watermark.detection.layout import code_shape, grid_of, joined, stacked, values_of
from evalkit.watermark.detection.phash import phash
from evalkit.watermark.detection.viewed import FINER, possible, viewed
from evalkit.watermark.detection.views import View
from evalkit.watermark.identity import preparation_id, prepared
from evalkit.watermark.keys import Key
from evalkit.watermark.template.pose import Pose, found_pose

Ints = npt.NDArray[np.int64]
EXTREME = 3.0  # sides in a ratio beyond this lose most of the image to the centre square


@dataclass(frozen=True)
class Read:
    """One image: its digest and what is kept of it, or the reason why there is nothing."""

    id: str
    sha256: str | None
    kept: Kept | None = None
    reason: str | None = None
    state: str = ""  # of its source, when it was looked up


@dataclass(frozen=True)
class _Facts:
    """What is known of an image that was read, but its codes."""

    sha256: str
    phash: int
    size: tuple[int, int]  # height, width
    source: Mapping[str, Any]


@dataclass(frozen=True)
class _Batch:
    """Images that were read: facts and pixels [B, 3, S, S] of the good ones in their order, and the others."""

    good: Mapping[int, _Facts]
    bad: Mapping[int, Unreadable]
    pixels: Tensor | None
    states: Mapping[int, str]  # of the sources, when they were read


class Reader:
    """Codes of the images of `images` under one tokenizer; everything read once lies in `cache`."""

    def __init__(
        self,
        images: ImageSet,
        tokenizer: Tokenizer,
        cache: CodeCache,
        *,
        batch_size: int = 16,
        threads: int = 2,
        timers: Timers | None = None,
    ) -> None:
        self.images, self.tokenizer, self.cache = images, tokenizer, cache
        self.batch_size, self.threads, self.timers = batch_size, threads, timers or Timers()
        self.shape, self.vocabulary = code_shape(tokenizer)
        self.preparation = preparation_id(tokenizer)
        self.scales: tuple[int, ...] | None = None  # known after the first image was encoded
        self.grid: tuple[int, int] | None = None
        self._sought: tuple[Key, ...] = ()
        self._poses: dict[int, Pose | None] = {}  # of images that were decoded since they were read, by position
        self._ids = images.ids()
        where = images.root if isinstance(images, FolderSet) else Path(images.spec).expanduser()
        self._root = str(where.resolve()) if where.exists() else images.spec  # the same folder from anywhere
        self._bytes = len(packed(np.zeros(self.shape, np.int64), self.vocabulary))

    def seek(self, keys: Sequence[Key]) -> None:
        """Look for the templates of these keys in every image that is decoded, for views that need them."""
        self._sought = tuple(keys)
        self._poses.clear()

    def codes(self, kept: Sequence[Kept]) -> Ints:
        """int64 [B, N], or [B, N, bits] of tokenizers of bits."""
        return unpacked([each.codes for each in kept], self.vocabulary, self.shape)

    def read(self, positions: Sequence[int], tick: Callable[[int], None] = lambda n: None) -> list[Read]:
        """The images at ascending positions, tokenised now where the cache does not know them; `tick(n)` after n more."""
        self._poses.clear()
        with self.timers("look up"):
            states = {f"{self._root}\0{self._ids[i]}": self.images.fingerprint(i) for i in positions}
            known = self.cache.known(states, self.preparation)
        found: dict[int, Read] = {}
        missing = []
        for i, place in zip(positions, states, strict=True):
            sha256, kept = known.get(place, ("", None))
            if kept is not None and len(kept.codes) == self._bytes:
                found[i] = Read(self._ids[i], sha256, kept, None, states[place])
            else:
                missing.append(i)
        tick(len(found))
        for batch in self._ahead(missing):
            found.update(self._tokenised(batch))
            tick(len(batch.good) + len(batch.bad))
        return [found[i] for i in positions]

    def views(self, index: int, views: Sequence[View]) -> Iterator[tuple[View, Ints]]:
        """(view, codes) of one image; codes of cells that the view had to fill are -1. Nothing where it is unreadable.

        Neighbours that differ by whole cells alone are encoded once. Views by a template that is not there are left out.
        """
        pose = self._pose(index) if any(view.template for view in views) else None
        views = possible(views, pose)
        sample = next(self._samples([index])) if views else None
        if sample is None or isinstance(sample, Unreadable):
            return
        fine = next(self._samples([index], FINER)) if any(view.resamples for view in views) else sample
        if isinstance(fine, Unreadable):
            return
        yield from viewed(views, sample.image, fine.image, pose, self._encoded, self.batch_size)

    def _pose(self, index: int) -> Pose | None:
        """Where the template lies; None without one, and of an unreadable image."""
        if index not in self._poses:
            for _ in self._samples([index]):
                pass
        return self._poses.get(index)

    def image(self, index: int) -> Pixels | None:
        """The prepared image itself, None where it cannot be read; MemoryError where it does not fit now."""
        sample = shown(self._samples([index]))
        return None if sample is None else sample.image

    def learn_layout(self) -> None:
        """Encode a grey image where nothing was encoded yet, so that `grid` and `scales` are known."""
        if self.scales is None:
            side = self.tokenizer.native_size
            self._encoded(torch.full((1, 3, side, side), 0.5))

    def _ahead(self, positions: Sequence[int]) -> Iterator[_Batch]:
        """Batches of images; the next ones are decoded while one is encoded."""
        parts = [positions[i : i + self.batch_size] for i in range(0, len(positions), self.batch_size)]
        if len(parts) <= 1:
            yield from map(self._decoded, parts)
            return
        waiting: deque[Future[_Batch]] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="evalkit-ahead") as pool:
            try:
                for part in parts:
                    waiting.append(pool.submit(self._decoded, part))
                    if len(waiting) > 2:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _decoded(self, positions: Sequence[int]) -> _Batch:
        with self.timers("read"):
            states = {i: self.images.fingerprint(i) for i in positions}
            good: dict[int, _Facts] = {}
            bad: dict[int, Unreadable] = {}
            images = []
            for i, read in zip(positions, self._samples(positions), strict=True):
                now = self.images.fingerprint(i)
                sample = read if now == states[i] else self._again(i)
                states[i] = now
                if isinstance(sample, Unreadable):
                    bad[i] = sample
                    continue
                size = sample.source["size"]
                good[i] = _Facts(sample.sha256, phash(sample.image), size, sample.source)
                images.append(sample.image)
            return _Batch(good, bad, stacked(images) if images else None, states)

    def _again(self, index: int) -> Sample | Unreadable:
        """An image whose file changed while it was read, once more."""
        state = self.images.fingerprint(index)
        self._poses.pop(index, None)
        (sample,) = self._samples([index])
        if self.images.fingerprint(index) == state:
            return sample
        return Unreadable(self._ids[index], "the file changes while it is read; scan it again when it is whole")

    def _tokenised(self, batch: _Batch) -> dict[int, Read]:
        known = self.cache.images((each.sha256 for each in batch.good.values()), self.preparation)
        known = {digest: kept for digest, kept in known.items() if len(kept.codes) == self._bytes}
        new = [k for k, each in enumerate(batch.good.values()) if each.sha256 not in known]
        rows: Iterator[Ints] = iter(())
        if new and batch.pixels is not None:
            rows = iter(values_of(self._encoded(batch.pixels if len(new) == len(batch.good) else batch.pixels[new])))
        found = {i: Read(each.id, each.sha256, None, each.reason, batch.states[i]) for i, each in batch.bad.items()}
        kept: dict[str, Kept] = {}
        places: dict[str, tuple[str, str]] = {}
        for i, facts in batch.good.items():
            codes = known.get(facts.sha256) or self._kept(facts, next(rows))
            found[i] = Read(self._ids[i], facts.sha256, codes, None, batch.states[i])
            kept[facts.sha256], places[f"{self._root}\0{self._ids[i]}"] = codes, (batch.states[i], facts.sha256)
        with self.timers("write"):
            self.cache.put(self.preparation, kept, places)
        return found

    def _samples(self, positions: Sequence[int], finer: int = 1) -> Iterator[Sample | Unreadable]:
        """Images in order, prepared as they are decoded, so that few are in memory at their own size.

        `finer`: at so many times the tokenizer's side. Templates are looked for on the way, once.
        """
        place = -1

        def at(sample: Sample | Unreadable, index: int) -> Sample | Unreadable:
            nonlocal place
            place = index
            return sample

        def fit(image: Pixels) -> Pixels:
            square = prepared(image, self.tokenizer, finer)
            if self._sought and place not in self._poses:
                with self.timers("template"):
                    self._poses[place] = found_pose(image, self._sought)
            return square

        start = 0
        for stop in range(1, len(positions) + 1):  # runs of neighbours are read together
            if stop == len(positions) or positions[stop] != positions[stop - 1] + 1:
                places = range(positions[start], positions[stop - 1] + 1)
                reader = self.images.read(places.start, places.stop, threads=self.threads)
                yield from fitted(map(at, reader, places), fit)  # a generator would hold the image at its own size
                start = stop

    def _encoded(self, batch: Tensor) -> Codes:
        with self.timers("encode"):
            try:
                codes = self.tokenizer.encode(batch)
            except torch.cuda.OutOfMemoryError:
                if len(batch) == 1:
                    raise EvalkitError("one image does not fit the device's memory; give --device cpu") from None
                torch.cuda.empty_cache()
                self.batch_size = max(1, len(batch) // 2)
                parts = [self._encoded(part) for part in torch.split(batch, self.batch_size)]
                codes = joined(parts)
            if self.scales is None:
                self.scales, self.grid = codes.scale_lengths, grid_of(codes)
            return codes

    def _kept(self, facts: _Facts, codes: Ints) -> Kept:
        data = packed(codes, self.vocabulary)
        return kept_of(data, facts.phash, facts.size, facts.source, self.tokenizer.native_size)


def kept_of(codes: bytes, phash: int, size: tuple[int, int], source: Mapping[str, Any], native: int) -> Kept:
    """What is kept of an image of `size` (height, width) whose square of `native` pixels was encoded."""
    height, width = size
    warnings = []
    if min(height, width) < native // 2:
        warnings.append(f"{width}x{height} was enlarged to {native}")
    if max(height, width) > EXTREME * min(height, width):
        warnings.append("of a long image the centre square alone is looked at")
    if source.get("animated"):
        warnings.append("of several frames or pages the first alone is looked at")
    kind, mode, turned = source.get("format"), source.get("mode"), source.get("orientation")
    return Kept(codes, phash, width, height, kind, mode, turned, "; ".join(warnings) or None)
