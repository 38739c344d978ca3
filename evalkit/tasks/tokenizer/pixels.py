"""From an image to the model's input and to the two 8-bit images that are compared, as the protocol says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.images.geometry import MAX_SIDE, Resize, fit_square, resize_exact
from evalkit.images.sample import Pixels
from evalkit.protocols import Protocol
from evalkit.tasks.tokenizer.native import policy_text
from evalkit.tokenizers.base import Tokenizer

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Feed:
    """How one model is fed under one protocol: side of the square input, and the range that reaches the network."""

    protocol: Protocol
    size: int
    misfed: bool  # the network is given [0, 1] although it was made for [-1, 1]
    signed: bool  # the network's own range is [-1, 1]
    whole: str | None = None  # each image at its own size: how, in words

    @property
    def key(self) -> tuple[str, int, bool]:
        """Two protocols with equal keys share one forward pass."""
        return (self.whole or self.protocol.input.method, self.size, self.misfed)

    def as_dict(self) -> dict[str, Any]:
        """The protocol and how the model is fed under it, as plan and record keep it."""
        return {**self.protocol.as_dict(), "side": self.whole or self.size}


def feed_of(protocol: Protocol, model: Tokenizer, size: int | None = None, *, whole: bool = False) -> Feed:
    """The feed of `model` under `protocol`; `size` overrides the side where the model allows it.

    `whole`: each image at its own size instead (see `native`); raises where the protocol scores at a fixed one.
    """
    rule = protocol.input
    native = model.native_size if rule.size == "native" else rule.size
    side = size or rule.sizes.get(model.name, native)
    if side > MAX_SIDE:
        raise EvalkitError(f"images are brought to at most {MAX_SIDE} px on a side; --size {side} given")
    if side % model.multiple:
        raise EvalkitError(f"{model.name} takes sides that are multiples of {model.multiple}; --size {side} given")
    model.check_size(side, side)
    low = getattr(model, "value_range", (0.0, 1.0))[0]
    signed = low < 0
    misfed = signed and rule.ranges.get(model.name) == "[0, 1]"
    if whole and (protocol.score.size != "input" or size is not None):
        given = "--size" if size is not None else f"--protocol {protocol.id}, which scores all images at one size"
        raise EvalkitError(f"--native-resolution keeps each image's own size; leave out {given}")
    return Feed(protocol, side, misfed, signed, policy_text(model) if whole else None)


def model_input(image: Pixels, feed: Feed, resize: Resize | None = None) -> Pixels:
    """The uint8 image that the model is fed: a square, by `resize` [on the CPU], or the whole image."""
    return image if feed.whole else fit_square(image, feed.size, feed.protocol.input.method, resize)


_GREY = np.arange(256, dtype=np.float64)
# x/255*2-1 in float64, kept as float32 by the model's input, then mapped back and truncated: 95 levels come back 1 low
_SIGNED_ROUND_TRIP = (((_GREY / 255 * 2 - 1).astype(np.float32) + 1) / 2 * 255).astype(np.uint8)


def scored_original(image: Pixels, feed: Feed) -> Pixels:
    """The original as it is scored, uint8 at the scored size."""
    if feed.protocol.pixels.original == "model range, truncated" and feed.signed and not feed.misfed:
        image = _SIGNED_ROUND_TRIP[image]
    return _scored_size(image, feed)


def scored_reconstructions(decoded: Tensor, feed: Feed) -> list[Pixels]:
    """Decoded images [B, 3, S, S] on the [0, 1] scale as uint8 images at the scored size."""
    y = decoded.float().cpu()
    rule = feed.protocol.pixels.reconstruction
    if feed.misfed:
        y = y * 2 - 1  # the script takes the network's output for [0, 1]
    if rule == "round":
        grey = y.clamp(0, 1).mul(255).add(0.5).floor()
    elif rule == "truncate 127.5x+128":
        grey = y.mul(2).sub(1).mul(127.5).add(128).clamp(0, 255).floor()
    elif feed.signed and not feed.misfed:
        grey = (y.mul(2).sub(1).clamp(-1, 1).add(1) / 2).mul(255).floor()
    else:
        grey = y.clamp(0, 1).mul(255).floor()
    pixels = grey.byte().permute(0, 2, 3, 1).contiguous().numpy()
    return [_scored_size(each, feed) for each in pixels]


def scored_levels(decoded: Pixels, feed: Feed) -> Pixels:
    """`scored_reconstructions` of an 8-bit image, whose values the protocol's rule turns into others one by one."""
    levels = _levels(feed.protocol.pixels.reconstruction)
    return _scored_size(decoded if levels is None else levels[decoded], feed)


@cache
def _levels(rule: str) -> Pixels | None:
    """What a rule makes of each grey level v, by way of v / 255 in float32; None where every level stays itself."""
    y = np.arange(256, dtype=np.float32) / np.float32(255)
    if rule == "round":
        grey = np.floor(y * np.float32(255) + np.float32(0.5))
    elif rule == "truncate 127.5x+128":
        grey = np.floor(np.clip((y * np.float32(2) - np.float32(1)) * np.float32(127.5) + np.float32(128), 0, 255))
    else:
        grey = np.floor(y * np.float32(255))
    levels = grey.astype(np.uint8)
    return None if (levels == np.arange(256)).all() else levels


def _scored_size(image: Pixels, feed: Feed) -> Pixels:
    rule = feed.protocol.score
    if rule.size == "input" or image.shape[:2] == (rule.size, rule.size):
        return image
    return resize_exact(image, (rule.size, rule.size), rule.filter)
