"""Batches of 8-bit images on their way to a model: pinned, copied beside the computation, and made floats on the device.

A level v becomes the float32 that v / 255 is on the CPU, by a table that is made there. So the device's own division,
which may be a product with 1 / 255, changes no input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from evalkit.images.sample import Pixels
from evalkit.tasks.tokenizer.pixels import Feed

MOST = 4  # batches that are begun at once: more than one where protocols prepare images in several ways
Names = tuple[int, ...]


class Lane(Protocol):
    """A way into a device's memory beside its computation."""

    def send(self, batch: Tensor) -> Tensor:
        """Begin to copy a batch from the host; the copy is not to be read before `join`."""

    def join(self, batch: Tensor) -> Tensor:
        """The copy, which what is computed from now on may read."""


class CudaLane:
    """A stream of its own, and pinned memory, from which copies need no help of the CPU."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        stream: Any = torch.cuda.Stream  # untyped in torch
        self.stream = stream(device)

    def send(self, batch: Tensor) -> Tensor:
        """Copy from pinned memory on the side stream."""
        with torch.cuda.stream(self.stream):
            return batch.pin_memory().to(self.device, non_blocking=True)

    def join(self, batch: Tensor) -> Tensor:
        """The computing stream waits for the copy, whose memory stays taken until that stream has read it."""
        computing = torch.cuda.current_stream(self.device)
        computing.wait_stream(self.stream)
        batch.record_stream(computing)
        return batch


class Upload:
    """Model inputs float32 [B, 3, S, S] on the device; a batch that was begun before is there already."""

    def __init__(self, device: torch.device, lane: Lane | None = None) -> None:
        self.device = device
        self.lane = lane or (CudaLane(device) if device.type == "cuda" else None)
        self._tables: dict[bool, Tensor] = {}
        self._begun: dict[Names, tuple[Sequence[Pixels], Tensor]] = {}

    def begin(self, images: Sequence[Pixels]) -> None:
        """Begin to copy images of one size that will be asked for next; without a lane nothing is gained by it."""
        if self.lane is not None and images:
            self._begun[_names(images)] = (
                images,
                self.lane.send(_stacked(images)),
            )  # held, so that no other has their ids
            while len(self._begun) > MOST:
                del self._begun[next(iter(self._begun))]

    def __call__(self, images: Sequence[Pixels], feed: Feed) -> Tensor:
        """[0, 1], or what makes the network see [0, 1] where the protocol misfeeds it."""
        if self.lane is None:
            return to_batch(images, feed)
        _, begun = self._begun.pop(_names(images), (images, None))
        levels = self.lane.join(self.lane.send(_stacked(images)) if begun is None else begun)
        shape = levels.shape
        return self._table(feed).index_select(0, levels.flatten().int()).reshape(shape).permute(0, 3, 1, 2)

    def _table(self, feed: Feed) -> Tensor:
        if feed.misfed not in self._tables:
            every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
            self._tables[feed.misfed] = to_batch([every], feed)[0, 0].flatten().to(self.device)
        return self._tables[feed.misfed]


def to_batch(images: Sequence[Pixels], feed: Feed) -> Tensor:
    """Model input float32 [B, 3, S, S] on the CPU: [0, 1], or what makes the network see [0, 1] where it is misfed."""
    batch = _stacked(images).permute(0, 3, 1, 2).float().div_(255)
    return (batch + 1) / 2 if feed.misfed else batch


def _stacked(images: Sequence[Pixels]) -> Tensor:
    return torch.from_numpy(np.stack(images))


def _names(images: Sequence[Pixels]) -> Names:
    """Which arrays these are."""
    return tuple(map(id, images))
