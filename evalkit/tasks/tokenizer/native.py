"""Each image at its own size: padded for networks that take any size, in tiles for those that take one.

`pad`: the image is mirrored on the right and at the bottom up to multiples of the model's stride; what was added is
cut off after decoding. `tiles`: it is mirrored up to multiples of the model's own side, each tile goes through the model
alone, side by side and without overlap, so that seams stay visible as they would in use; what was added is cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Tokenizer

if TYPE_CHECKING:
    from torch import Tensor

Policy = Literal["pad", "tiles"]


@dataclass(frozen=True)
class Cut:
    """An image as equal pieces in reading order, and how to put what was made of them together again."""

    pieces: list[Pixels]
    columns: int
    height: int
    width: int

    def join(self, decoded: list[Tensor]) -> Tensor:
        """[3, height, width] from one [3, h, w] for each piece."""
        import torch

        rows = [torch.cat(decoded[i : i + self.columns], dim=2) for i in range(0, len(decoded), self.columns)]
        return torch.cat(rows, dim=1)[:, : self.height, : self.width]


def policy_of(model: Tokenizer) -> Policy:
    """`pad` where the model takes an oblong image of another size than its own, else `tiles`."""
    try:
        model.check_size(model.native_size + model.multiple, model.native_size + 2 * model.multiple)
    except EvalkitError:
        return "tiles"
    return "pad"


def policy_text(model: Tokenizer) -> str:
    """The policy in words, as the record states it."""
    if policy_of(model) == "pad":
        return f"each image at its own size, mirrored up to multiples of {model.multiple} px and cut back"
    return f"each image at its own size, in tiles of {model.native_size} px without overlap"


def cut(image: Pixels, model: Tokenizer) -> Cut:
    """The pieces of a uint8 [H, W, 3] image that `model` takes."""
    height, width = image.shape[:2]
    tiles = policy_of(model) == "tiles"
    step = model.native_size if tiles else model.multiple
    grown = np.pad(image, ((0, -height % step), (0, -width % step), (0, 0)), mode="symmetric")
    if not tiles:
        return Cut([grown], 1, height, width)
    rows, columns = grown.shape[0] // step, grown.shape[1] // step
    pieces = [
        np.ascontiguousarray(grown[r * step : (r + 1) * step, c * step : (c + 1) * step])
        for r in range(rows)
        for c in range(columns)
    ]
    return Cut(pieces, columns, height, width)
