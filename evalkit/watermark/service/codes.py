"""Codes of uploaded images under one tokenizer: from the cache by digest, else from squares that were decoded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.errors import BadImage
from evalkit.images.decode import decode_with_source
from evalkit.images.loader import TOO_LARGE, PixelRoom
from evalkit.images.sample import Admit, Pixels
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.detection.cache import CodeCache, Kept, packed, unpacked
from evalkit.watermark.detection.layout import batch_of, code_shape, stacked, values_of
from evalkit.watermark.detection.phash import phash
from evalkit.watermark.detection.reader import kept_of
from evalkit.watermark.detection.viewed import FINER
from evalkit.watermark.detection.views import View
from evalkit.watermark.identity import preparation_id, prepared, tokenizer_identity
from evalkit.watermark.template.pose import Spectrum, pattern_square

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Decoded:
    """An image that was read: its `size` (height, width), what the file was, and its squares by side.

    `pattern`: the square in which templates are looked for, where they are. `finer`: squares for views that resample
    are there.
    """

    size: tuple[int, int]
    source: Mapping[str, Any]
    squares: Mapping[int, Pixels]
    pattern: Pixels | None
    finer: bool

    @cached_property
    def spectrum(self) -> Spectrum | None:
        """Of the pattern's square."""
        return None if self.pattern is None else Spectrum.of(self.pattern)


class Coder:
    """One tokenizer with its place in the cache."""

    def __init__(self, tokenizer: Tokenizer, cache: CodeCache) -> None:
        self.tokenizer, self.cache = tokenizer, cache
        self.shape, self.vocabulary = code_shape(tokenizer)
        self.identity, self.preparation = tokenizer_identity(tokenizer), preparation_id(tokenizer)
        self._bytes = len(packed(np.zeros(self.shape, np.int64), self.vocabulary))
        self.batch = batch_of(tokenizer, "auto")

    def known(self, digests: Sequence[str]) -> dict[str, Ints]:
        """Codes of the images that the cache knows, by digest."""
        found = self.cache.images(digests, self.preparation)
        return self._unpacked({sha256: kept for sha256, kept in found.items() if len(kept.codes) == self._bytes})

    def encoded(self, images: Mapping[str, Decoded]) -> dict[str, Ints]:
        """Codes of images by digest, encoded now and kept."""
        digests, kept = list(images), dict[str, Kept]()
        for start in range(0, len(digests), self.batch):
            part = digests[start : start + self.batch]
            squares = [images[each].squares[self.tokenizer.native_size] for each in part]
            rows = values_of(self.tokenizer.encode(stacked(squares)))
            for sha256, square, row in zip(part, squares, rows, strict=True):
                image, codes = images[sha256], packed(row, self.vocabulary)
                kept[sha256] = kept_of(codes, phash(square), image.size, image.source, self.tokenizer.native_size)
        self.cache.put(self.preparation, kept, {})
        return self._unpacked(kept)

    def _unpacked(self, kept: Mapping[str, Kept]) -> dict[str, Ints]:
        rows = unpacked([each.codes for each in kept.values()], self.vocabulary, self.shape)
        return dict(zip(kept, rows, strict=True))


class Reading:
    """How images are decoded for some tokenizers and the `views` of their marks, by identity: also as views need them."""

    def __init__(
        self, coders: Sequence[Coder], views: Mapping[str, Sequence[View]], most_pixels: int, room: PixelRoom
    ) -> None:
        """`most_pixels`: larger images are not decoded. `room` bounds the pixels that are decoded at once."""
        self._most, self._room, self._tokenizers = most_pixels, room, [each.tokenizer for each in coders]
        finer = {name for name, tried in views.items() if any(view.resamples for view in tried)}
        self._finer = [each.tokenizer for each in coders if each.identity in finer]
        self._pattern = any(view.template for tried in views.values() for view in tried)
        self._always = any(view.resamples and not view.template for tried in views.values() for view in tried)

    def read(self, data: bytes, *, finer: bool = False) -> Decoded | str:
        """The decoded image, or why it cannot be had; `finer`: also for a template's view, which few images have."""
        try:
            with self._room.one() as admit:
                return self._squares(data, admit, finer=finer or self._always)
        except BadImage as error:
            return str(error).partition(";")[0]
        except MemoryError:
            return TOO_LARGE

    def _squares(self, data: bytes, admit: Admit, *, finer: bool) -> Decoded:
        image, source = decode_with_source(data, max_pixels=self._most, admit=admit)
        squares = {each.native_size: prepared(image, each) for each in self._tokenizers}
        for each in self._finer if finer else ():
            squares.setdefault(each.native_size * FINER, prepared(image, each, FINER))
        pattern = pattern_square(image) if self._pattern else None
        return Decoded((image.shape[0], image.shape[1]), source, squares, pattern, finer)
