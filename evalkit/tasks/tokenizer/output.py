"""What a tokenizer made of an image, on either way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from evalkit.images.sample import Pixels
from evalkit.tasks.tokenizer.pixels import Feed, scored_levels, scored_reconstructions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

Shares = npt.NDArray[np.float64]
SMALLEST = 32  # px a side: what LPIPS' trunks still take


@dataclass(frozen=True)
class Output:
    """What an image became: float [3, H, W] on [0, 1] or uint8 [H, W, 3], or the `reason` why there is none.

    `codes`, `bits`: how many were spent. `indices`: those that occur, for code counts. `columns`: scores that need the
    model (survival, shift); an array is a share for each scale or bit, under `<score>|<part>`.
    """

    image: Tensor | Pixels | None = None
    reason: str | None = None
    codes: int = 0
    bits: float | None = None
    indices: npt.NDArray[Any] | None = None
    columns: dict[str, float | Shares | None] = field(default_factory=dict)


class Way(Protocol):
    """Images through a tokenizer."""

    @property
    def looks_ahead(self) -> bool:
        """Whether it gains by being told of the next batch."""

    def begin(self, images: Sequence[Pixels], feed: Feed) -> None:
        """These images come after those of the next call."""

    def __call__(self, images: Sequence[Pixels], feed: Feed) -> list[Output]:
        """One output for each uint8 image, in order."""


def scored_output(output: Output, feed: Feed) -> Pixels | None:
    """The reconstruction as it is scored; None where there is none."""
    if output.image is None or isinstance(output.image, np.ndarray):
        return None if output.image is None else scored_levels(output.image, feed)
    return scored_reconstructions(output.image[None], feed)[0]


def too_small(image: Pixels) -> Output | None:
    """The reason why an image is not scored at its own size, None where it is."""
    height, width = image.shape[:2]
    if min(height, width) >= SMALLEST:
        return None
    return Output(reason=f"a {width}x{height} image is below {SMALLEST} px, too small to be scored as it is")
