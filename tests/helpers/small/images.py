"""Images to codes and codes to images, as far as all tokenizers do it alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from helpers.filled import integers, normal
from helpers.small.case import Arrays


def image(height: int = 16, width: int = 16) -> Tensor:
    """One image on [0, 1]: blocks of 4 x 4 pixels under noise."""
    blocks = normal("blocks", 1, 3, height // 4, width // 4).repeat_interleave(4, 2).repeat_interleave(4, 3)
    return (1.5 * blocks + 0.5 * normal("image", 1, 3, height, width)).sigmoid()


def read(model: Any, height: int = 16, width: int = 16) -> Arrays:
    """What the codes of an image are made from, and the codes."""
    x = image(height, width)
    codes = model.encode(x).values
    features: Tensor = model.features(x).detach()
    return {"features": features} if codes.is_floating_point() else {"features": features, "codes": codes}


def around(count: int, values: int, height: int = 16, width: int = 16, **more: Any) -> Callable[[Any], Arrays]:
    """An image to codes, and `count` codes below `values` to an image."""

    def run(model: Any) -> Arrays:
        given = model.codes(indices=integers("codes", values, 1, count), **more)
        return {**read(model, height, width), "decoded": model.decode(given)}

    return run
