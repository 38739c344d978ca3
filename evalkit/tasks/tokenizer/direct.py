"""Images through a codec: 8-bit pixels in and out, one image at a time, without torch and in any thread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.images.loader import TOO_LARGE
from evalkit.images.sample import Pixels
from evalkit.jobs.timers import Timers
from evalkit.tasks.tokenizer.native import cut
from evalkit.tasks.tokenizer.output import Output, too_small
from evalkit.tasks.tokenizer.pixels import Feed
from evalkit.tokenizers.base import PixelTokenizer

BITS = 8.0  # of a code, which is a byte


class Direct:
    """A codec's way; it gives what `Forward` gives of floats, since 8-bit levels come through [0, 1] and back unchanged."""

    looks_ahead = False

    def __init__(self, model: PixelTokenizer) -> None:
        self.model = model

    def begin(self, images: Sequence[Pixels], feed: Feed) -> None:
        """There is no device to bring them to."""

    def __call__(self, images: Sequence[Pixels], feed: Feed) -> list[Output]:
        """One output for each uint8 image, in order."""
        return [self.one(image, feed, Timers()) for image in images]

    def one(self, image: Pixels, feed: Feed, timers: Timers) -> Output:
        """What becomes of one image; an empty one stands for one that did not fit into memory."""
        if not image.size:
            return Output(reason=TOO_LARGE)
        if not feed.whole:
            return self._through(image, timers)
        height, width = image.shape[:2]
        return too_small(image) or self._through(cut(image, self.model).pieces[0], timers, height, width)

    def _through(self, image: Pixels, timers: Timers, height: int | None = None, width: int | None = None) -> Output:
        try:
            self.model.check_size(*image.shape[:2])
            with timers("encode"):
                stream = self.model.to_bytes(image)
            with timers("decode"):
                decoded = self.model.to_image(stream)
        except EvalkitError as error:
            return Output(reason=str(error))
        codes = np.frombuffer(stream, np.uint8)
        return Output(decoded[:height, :width], None, len(codes), len(codes) * BITS, codes)
