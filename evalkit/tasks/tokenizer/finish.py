"""From what a model gave of an image to its pairs, scored as far as pixels go; one image at a time, in any thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalkit.images.encode import png_bytes
from evalkit.images.geometry import Resize
from evalkit.images.sample import Pixels, Sample
from evalkit.jobs.timers import Timers
from evalkit.metrics.rate import BPP, bits_per_pixel
from evalkit.tasks.tokenizer.direct import Direct
from evalkit.tasks.tokenizer.evaluators import Evaluators
from evalkit.tasks.tokenizer.output import Output, scored_output
from evalkit.tasks.tokenizer.pair import Pair
from evalkit.tasks.tokenizer.pixels import Feed, model_input, scored_original

Key = tuple[str, int, bool]  # `Feed.key`
Fed = Mapping[Key, Pixels]


@dataclass(frozen=True)
class Done:
    """An image under each protocol: its pair, or the reason why there is none.

    `seconds`: by stage, but for those that the caller's timers counted.
    """

    pairs: Mapping[str, Pair | str]
    outputs: Mapping[Key, Output]
    seconds: Mapping[str, float]


class Finish:
    """Prepares images for the model, and scores what came out."""

    def __init__(
        self, feeds: Sequence[Feed], evaluators: Evaluators, *, keep_all: bool, resize: Resize | None = None
    ) -> None:
        """`resize`: who brings images to the model's size [Pillow, where they are read]."""
        self.feeds, self.evaluators, self.keep_all, self.resize = feeds, evaluators, keep_all, resize
        self.ways = {feed.key: feed for feed in feeds}

    def fed(self, sample: Sample) -> Fed:
        """What the model is fed of an image, for each way to prepare it; empty where there is no memory for it."""
        return {key: _fed(sample.image, feed, self.resize) for key, feed in self.ways.items()}

    def directly(self, sample: Sample, way: Direct, timers: Timers) -> Done:
        """The whole way of an image through a codec."""
        with timers("prepare"):
            fed = self.fed(sample)
        outputs = {key: way.one(fed[key], feed, timers) for key, feed in self.ways.items()}
        return self(sample, fed, outputs, timers)

    def __call__(self, sample: Sample, fed: Fed, outputs: Mapping[Key, Output], timers: Timers | None = None) -> Done:
        """The pairs of an image whose outputs are there."""
        mine = timers or Timers()
        pairs = {
            feed.protocol.id: self._pair(sample, fed[feed.key], outputs[feed.key], feed, mine) for feed in self.feeds
        }
        return Done(pairs, outputs, {} if timers else mine.seconds)

    def _pair(self, sample: Sample, fed: Pixels, output: Output, feed: Feed, timers: Timers) -> Pair | str:
        with timers("prepare"):
            reconstruction = scored_output(output, feed)
            if reconstruction is None:
                return output.reason or "the model gave no image"
            original = scored_original(fed, feed)
        columns = {name: value for name, value in output.columns.items() if not isinstance(value, np.ndarray)}
        pair = Pair(sample.meta, original, reconstruction, {**_row(sample, feed, output, fed), **columns})
        with timers("pixel metrics"):
            self.evaluators.score_pixels(feed.protocol, pair)
        if self.keep_all:
            with timers("PNG"):
                pair.files = (png_bytes(original), png_bytes(reconstruction))
        return pair


def _fed(image: Pixels, feed: Feed, resize: Resize | None) -> Pixels:
    try:
        return model_input(image, feed, resize)
    except MemoryError:
        return np.empty((0, 0, 3), np.uint8)


def _row(sample: Sample, feed: Feed, output: Output, fed: Pixels) -> dict[str, Any]:
    return {
        "id": sample.id,
        "protocol": feed.protocol.id,
        "sha256": sample.sha256,
        "subset": sample.meta.get("subset"),
        "task": sample.meta.get("task"),
        "height": int(sample.image.shape[0]),
        "width": int(sample.image.shape[1]),
        "codes": output.codes,
        BPP.name: None if output.bits is None else bits_per_pixel(output.bits, *fed.shape[:2]),
    }
