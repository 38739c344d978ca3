"""What is compared: something that marks images, and gives a p-value for any image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from evalkit.errors import EvalkitError
from evalkit.images.geometry import resize_exact
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.attacks.sizes import to_pixels, to_tensor
from evalkit.watermark.embed.nudge import Nudge, nudged_files
from evalkit.watermark.exact import binomial_log_tail
from evalkit.watermark.identity import prepared
from evalkit.watermark.mark import Mark

Floats = npt.NDArray[np.float64]


class Contender(ABC):
    """A way to mark square images. `null` says in words what its p-values are exact for."""

    name: str
    null: str

    @abstractmethod
    def record(self) -> dict[str, Any]:
        """Everything that decides its results, as plain data; never a key."""

    @abstractmethod
    def mark(self, images: Sequence[Pixels], ids: Sequence[str]) -> list[Pixels]:
        """Marked images of the same size; raises `EvalkitError` where it cannot mark these."""

    @abstractmethod
    def log_p(self, images: Sequence[Pixels]) -> Floats:
        """Natural logs of p of images of any size, [B]; 0 for what it cannot read."""


class TokenMark(Contender):
    """A mark of evalkit on a tokenizer's codes, embedded afterwards (nearest green code), or given by images that carry it.

    `fraction`: share of red codes that is exchanged, the cheapest first. `nudge`: images keep their pixels, as in
    `embed_folder`. `frequencies`: the file that paired lists were
    made from, for another process to make the mark again.
    """

    null = "a key that was drawn without knowing the image"

    def __init__(
        self,
        mark: Mark,
        tokenizer: Tokenizer,
        *,
        fraction: float = 1.0,
        nudge: Nudge | None = None,
        batch_size: int = 8,
        name: str | None = None,
        frequencies: str | Path | None = None,
    ) -> None:
        self.watermark, self.tokenizer, self.fraction, self.batch_size = mark, tokenizer, fraction, batch_size
        self.frequencies, self.nudge = frequencies, nudge
        self.name = name or f"{mark.method}-{tokenizer.name}"

    def record(self) -> dict[str, Any]:
        """The mark, the tokenizer's identity and how it is embedded."""
        return {
            "name": self.name, "mark": self.watermark.as_dict(), "tokenizer": self.watermark.tokenizer,
            "fraction": self.fraction, **({} if self.nudge is None else {"nudge": self.nudge.as_dict()}),
        }  # fmt: skip

    def mark(self, images: Sequence[Pixels], ids: Sequence[str]) -> list[Pixels]:
        """Encoded with green codes in place of red ones, decoded, and brought to the size that the images had.

        With `nudge` the images' own pixels, changed until they are encoded so.
        """
        done: list[Pixels] = []
        for start in range(0, len(images), self.batch_size):
            some = slice(start, start + self.batch_size)
            lists = [self.watermark.list_of(each) for each in ids[some]]
            squares = [prepared(each, self.tokenizer) for each in images[some]]
            x = to_tensor(squares)
            count = self.tokenizer.tokens_per_image(int(x.shape[2]), int(x.shape[3])) or 0
            green = torch.from_numpy(np.stack([self.watermark.green_places(each, count) for each in lists]))
            with torch.inference_mode():
                codes = self.tokenizer.encode_among(x, green, fraction=self.fraction)
            if self.nudge is not None:
                chosen, key = codes.values.clone(), self.watermark.key
                done += nudged_files(self.tokenizer, images[some], chosen, green, self.nudge, key)
                continue
            with torch.inference_mode():
                done += to_pixels(self.tokenizer.decode(codes))
        return [resize_exact(each, image.shape[:2], "bicubic") for each, image in zip(done, images, strict=True)]

    def log_p(self, images: Sequence[Pixels]) -> Floats:
        """The exact test over the codes that are read from the images, corrected for the pool."""
        parts = [np.zeros(0)]
        for start in range(0, len(images), self.batch_size):
            x = to_tensor([prepared(each, self.tokenizer) for each in images[start : start + self.batch_size]])
            with torch.inference_mode():
                codes = self.tokenizer.encode(x)
            parts.append(self.watermark.score(codes.values.cpu().numpy().astype(np.int64)).log_p)
        return np.concatenate(parts)


def bits_log_p(agreeing: int, bits: int) -> float:
    """log P[Binomial(bits, 1/2) >= agreeing]: exact for a payload that was drawn without knowing the image.

    >>> round(bits_log_p(32, 32) / np.log(0.5))
    32
    """
    if not 0 <= agreeing <= bits:
        raise EvalkitError(f"of {bits} bits from 0 to {bits} agree; {agreeing} given")
    return float(binomial_log_tail(agreeing, bits, 0.5))
