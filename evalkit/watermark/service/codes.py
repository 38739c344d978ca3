"""Codes of uploaded images under one tokenizer: from the cache by digest, else from squares that were decoded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.images.decode import Admit, decode_with_source
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.detection.cache import CodeCache, Kept, packed, unpacked
from evalkit.watermark.detection.layout import batch_of, code_shape, stacked, values_of
from evalkit.watermark.detection.phash import phash
from evalkit.watermark.detection.reader import kept_of
from evalkit.watermark.identity import preparation_id, prepared, tokenizer_identity

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Decoded:
    """An image that was read: its `size` (height, width), what the file was, and its squares by side."""

    size: tuple[int, int]
    source: Mapping[str, Any]
    squares: Mapping[int, Pixels]


def decoded(
    data: bytes, tokenizers: Sequence[Tokenizer], most_pixels: int, admit: Admit = lambda pixels: None
) -> Decoded:
    """The image as each tokenizer takes it; raises `BadImage` where it cannot be read or has more pixels."""
    image, source = decode_with_source(data, max_pixels=most_pixels, admit=admit)
    squares = {each.native_size: prepared(image, each) for each in tokenizers}
    return Decoded((image.shape[0], image.shape[1]), source, squares)


class Coder:
    """One tokenizer with its place in the cache."""

    def __init__(self, tokenizer: Tokenizer, cache: CodeCache) -> None:
        self.tokenizer, self.cache = tokenizer, cache
        self.shape, self.vocabulary = code_shape(tokenizer)
        self.identity, self.preparation = tokenizer_identity(tokenizer), preparation_id(tokenizer)
        self._bytes = len(packed(np.zeros(self.shape, np.int64), self.vocabulary))
        self._batch = batch_of(tokenizer, "auto")

    def known(self, digests: Sequence[str]) -> dict[str, Ints]:
        """Codes of the images that the cache knows, by digest."""
        found = self.cache.images(digests, self.preparation)
        return self._unpacked({sha256: kept for sha256, kept in found.items() if len(kept.codes) == self._bytes})

    def encoded(self, images: Mapping[str, Decoded]) -> dict[str, Ints]:
        """Codes of images by digest, encoded now and kept."""
        digests, kept = list(images), dict[str, Kept]()
        for start in range(0, len(digests), self._batch):
            part = digests[start : start + self._batch]
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
