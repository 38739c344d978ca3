"""Images through a tokenizer: in batches, or each at its own size; a bad image never costs the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.jobs.timers import Timers
from evalkit.tasks.tokenizer.native import cut
from evalkit.tasks.tokenizer.output import Output, Shares, too_small
from evalkit.tasks.tokenizer.pixels import Feed
from evalkit.tasks.tokenizer.shift import shift
from evalkit.tasks.tokenizer.survival import survival
from evalkit.tasks.tokenizer.upload import Upload
from evalkit.tokenizers.base import Codes, Tokenizer


class Forward:
    """Runs a model over prepared images; `batch_size` halves itself when the device's memory runs out."""

    def __init__(self, model: Tokenizer, tasks: frozenset[str], *, batch_size: int, seed: int, timers: Timers) -> None:
        self.model, self.tasks, self.batch_size, self.seed, self.timers = model, tasks, batch_size, seed, timers
        self.upload = Upload(getattr(model, "device", torch.device("cpu")))

    @property
    def looks_ahead(self) -> bool:
        """Whether it gains by being told of the next batch."""
        return self.upload.lane is not None

    def begin(self, images: Sequence[Pixels], feed: Feed) -> None:
        """Begin to bring the next images to the device."""
        if not feed.whole and len(images) <= self.batch_size:
            self.upload.begin([image for image in images if image.size])

    def __call__(self, images: Sequence[Pixels], feed: Feed) -> list[Output]:
        """One output for each uint8 image, in order."""
        if feed.whole:
            return [self._whole(image, feed) for image in images]
        return self._in_pieces(list(images), feed, self.batch_size)

    def _whole(self, image: Pixels, feed: Feed) -> Output:
        if (refused := too_small(image)) is not None:
            return refused
        pieces = cut(image, self.model)
        outputs = self._in_pieces(pieces.pieces, feed, self.batch_size)
        bad = next((each for each in outputs if each.image is None), None)
        if bad is not None:
            return bad
        whole = pieces.join([each.image for each in outputs if isinstance(each.image, Tensor)])
        bits = None if any(each.bits is None for each in outputs) else sum(each.bits or 0.0 for each in outputs)
        used = [each.indices for each in outputs if each.indices is not None]
        columns = {name: _mean([each.columns[name] for each in outputs]) for name in outputs[0].columns}
        indices = np.concatenate(used) if used else None
        return Output(whole, None, sum(each.codes for each in outputs), bits, indices, columns)

    def _in_pieces(self, images: list[Pixels], feed: Feed, size: int) -> list[Output]:
        starts = range(0, len(images), size)
        return [each for start in starts for each in self._batch(images[start : start + size], feed)]

    def _batch(self, images: list[Pixels], feed: Feed) -> list[Output]:
        try:
            with self.timers("prepare"):
                batch = self.upload(images, feed)
            with self.timers("encode"):
                codes = self.model.encode(batch)
            with self.timers("decode"):
                decoded = self.model.decode(codes, seed=self.seed).float().cpu()
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            if len(images) == 1:
                height, width = images[0].shape[:2]
                raise EvalkitError(
                    f"one {width}x{height} image does not fit the device's memory; give --device cpu, "
                    "a smaller --size or --dtype bfloat16"
                ) from None
            self.batch_size = max(1, len(images) // 2)
            return self._in_pieces(images, feed, self.batch_size)
        except EvalkitError as error:
            if len(images) == 1:
                return [Output(reason=str(error))]
            return self._in_pieces(images, feed, 1)
        columns = self._columns(batch, codes, decoded)
        parts = zip(decoded, _lengths(codes), self.model.image_bits(codes), _indices(codes), columns, strict=True)
        return [Output(image, None, n, bits, used, row) for image, n, bits, used, row in parts]

    def _columns(self, batch: Tensor, codes: Codes, decoded: Tensor) -> list[dict[str, float | Shares | None]]:
        columns: list[dict[str, float | Shares | None]] = [{} for _ in range(len(codes))]
        if "survival" in self.tasks:
            with self.timers("survival"):
                for row, found in zip(columns, survival(self.model, codes, decoded), strict=True):
                    row.update(found)
        if "shift" in self.tasks:
            with self.timers("shift"):
                for row, moved in zip(columns, shift(self.model, batch, codes, decoded, self.seed), strict=True):
                    row.update(moved)
        return columns


def _mean(values: Sequence[Any]) -> Any:
    return None if any(value is None for value in values) else np.mean(values, axis=0)


def _indices(codes: Codes) -> list[npt.NDArray[np.int64] | None]:
    if codes.indices is None:
        return [None] * len(codes)
    return [row[row >= 0].cpu().numpy() for row in codes.indices]


def _lengths(codes: Codes) -> list[int]:
    if codes.indices is not None:
        return [int((row >= 0).sum()) for row in codes.indices]
    per_image = codes.values.shape[1] if codes.bits is not None else codes.values[0, 0].numel()
    return [int(per_image)] * len(codes)
