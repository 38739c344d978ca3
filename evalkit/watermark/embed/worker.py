"""One shard of images marked afterwards: read, encoded among green codes, decoded, and read back as a detector does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.images.encode import png_bytes
from evalkit.images.loader import batched, fitted
from evalkit.images.sample import ImageSet, Pixels, Sample, Unreadable
from evalkit.jobs.aside import Aside
from evalkit.jobs.shard import Shard, ShardOutput
from evalkit.jobs.task import Tick, Worker
from evalkit.jobs.timers import Timers
from evalkit.tokenizers.base import Codes, Tokenizer
from evalkit.watermark.attacks.sizes import to_pixels, to_tensor
from evalkit.watermark.embed.nudge import Nudge, nudged_files
from evalkit.watermark.embed.rows import Views, failed, row_of, table
from evalkit.watermark.identity import prepared
from evalkit.watermark.mark import Mark

STRIPS = 8  # first images of the set that are shown before and after
TOGETHER = 2**24  # pixels of images that are marked together, one more image aside
ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")  # modes of files with transparency
BOOST = 8  # times that a strip shows the difference larger than it is


class EmbedWorker(Worker):
    """Holds the tokenizer and the mark; `process` gives rows, PNG files, and strips of the first images."""

    def __init__(
        self,
        images: ImageSet,
        tokenizer: Tokenizer,
        mark: Mark,
        names: Sequence[str],
        *,
        fraction: float,
        most_cost: float,
        nudge: Nudge | None,
        batch_size: int,
        threads: int,
        seal: str,
    ) -> None:
        """`seal`: the HMAC of the run's mark.json, for which the key is needed."""
        self.images, self.tokenizer, self.mark, self.names = images, tokenizer, mark, names
        self.fraction, self.most_cost, self.nudge = fraction, most_cost, nudge
        self.batch_size, self.threads, self.seal, self.timers = batch_size, threads, seal, Timers()

    def process(self, shard: Shard, tick: Tick) -> ShardOutput:
        """Rows in listing order; an image that cannot be read costs itself only."""
        rows: list[dict[str, Any]] = []
        files, lost = Aside(), Counter[str]()
        reader = fitted(self.images.read(shard.start, shard.stop, threads=self.threads), self._kept)
        batches = batched(reader, self.batch_size, pixels=TOGETHER)
        for samples in self.timers.over("read", batches):
            lost.update(what for each in samples for what in _lost(each))
            rows += self._rows(shard.start + len(rows), samples, files)
            tick(len(samples))
        facts = {"model": self._state(), "seal": self.seal, "lost": dict(lost)}
        return ShardOutput(table(rows), {}, files, self.timers.taken(), facts)

    def _rows(
        self, start: int, samples: Sequence[Sample | Unreadable], files: MutableMapping[str, bytes]
    ) -> Iterator[dict[str, Any]]:
        """Rows of the samples from position `start`; their PNG files go into `files`."""
        made = iter(self._marked([each for each in samples if isinstance(each, Sample)]))
        for position, sample in enumerate(samples, start):
            if not isinstance(sample, Sample):
                yield failed(sample, sample.reason)
                continue
            list_id, views = next(made)
            with self.timers("write"):
                name = f"images/{self.names[position]}.png"
                data = files[name] = png_bytes(views.marked)
                if position < STRIPS:
                    files[f"strips/{position:07d}.png"] = png_bytes(strip(views, by_pixels=self.nudge is not None))
            with self.timers("score"):
                scores = self.mark.score(views.codes_again[None])
            yield row_of(sample, views, self.mark, list_id, scores, name, data)

    def _state(self) -> dict[str, Any]:
        model = self.tokenizer
        return {
            "weights_sha256": model.weights_sha256,
            "device": str(getattr(model, "device", "cpu")),
            "dtype": str(getattr(model, "dtype", "float32")).removeprefix("torch."),
            "deterministic": model.deterministic,
        }

    def _kept(self, image: Pixels) -> Pixels:
        """What of an image is needed: its square, or all of it where it keeps its own size."""
        return prepared(image, self.tokenizer) if self.nudge is None else image

    def _marked(self, samples: Sequence[Sample]) -> list[tuple[int, Views]]:
        """(list id, views) of each image."""
        if not samples:
            return []
        try:
            return self._batch(samples)
        except torch.cuda.OutOfMemoryError:
            if len(samples) == 1:
                raise EvalkitError("one image does not fit the device's memory; give --device cpu") from None
            torch.cuda.empty_cache()
            self.batch_size = half = max(1, len(samples) // 2)
            return [each for i in range(0, len(samples), half) for each in self._marked(samples[i : i + half])]

    def _batch(self, samples: Sequence[Sample]) -> list[tuple[int, Views]]:
        with self.timers("read"):
            given = [prepared(each.image, self.tokenizer) for each in samples]
            lists = [self.mark.list_of(each.sha256) for each in samples]
            count = self.tokenizer.tokens_per_image(*given[0].shape[:2]) or 0
            green = torch.from_numpy(np.stack([self.mark.green_places(each, count) for each in lists]))
        x = to_tensor(given)
        with self.timers("encode"):
            before = self.tokenizer.encode(x)
            after = self.tokenizer.encode_among(x, green, fraction=self.fraction, most_cost=self.most_cost)
        with self.timers("decode"):
            plain = self._pixels(before)
            if self.nudge is None:
                inputs, marked = given, self._pixels(after)
            else:
                inputs = [each.image for each in samples]
                marked = nudged_files(self.tokenizer, inputs, after.values, green, self.nudge, self.mark.key)
            seen = [prepared(each, self.tokenizer) for each in marked]
        with self.timers("encode"):
            again = self.tokenizer.encode(to_tensor(seen))
        codes = [_values(each.values) for each in (before, after, again)]
        states = zip(lists, inputs, given, plain, marked, seen, *codes, strict=True)
        return [(each, Views(*views)) for each, *views in states]

    def _pixels(self, codes: Codes) -> list[Pixels]:
        return to_pixels(self.tokenizer.decode(codes))


def strip(views: Views, *, by_pixels: bool) -> Pixels:
    """uint8 [S, 4 S, 3]: the input, its plain reconstruction, the marked image, and 8 times the marked one's difference to
    whichever of the two it was made from.
    """
    near = views.given if by_pixels else views.plain
    change = np.abs(views.seen.astype(np.int16) - near.astype(np.int16)) * BOOST
    shown: Pixels = np.concatenate(
        [views.given, views.plain, views.seen, np.minimum(change, 255).astype(np.uint8)], axis=1
    )
    return shown


def _lost(sample: Sample | Unreadable) -> Iterator[str]:
    """What of an image's file a marked image does not hold."""
    source = sample.source if isinstance(sample, Sample) else {}
    if source.get("mode") in ALPHA:
        yield "transparency"
    if source.get("animated"):
        yield "later frames"


def _values(codes: Tensor) -> np.ndarray[Any, np.dtype[np.int64]]:
    return codes.cpu().numpy().astype(np.int64)
