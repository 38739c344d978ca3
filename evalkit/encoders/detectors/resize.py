"""Images as COCO detectors take them: scaled with their aspect kept, normalised, padded to a multiple of 32."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from evalkit.images.sample import Pixels

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # RGB on the 0..255 scale


@dataclass(frozen=True)
class Scale:
    """The shorter side goes to `short` unless the longer one would exceed `long`; then sides grow to a `multiple`."""

    short: int = 800
    long: int = 1333
    multiple: int = 32

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after scaling, before padding.

        >>> Scale().size(512, 512), Scale().size(400, 1000)
        ((800, 800), (533, 1333))
        """
        factor = min(self.long / max(height, width), self.short / min(height, width))
        return max(1, int(height * factor + 0.5)), max(1, int(width * factor + 0.5))

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after padding of what `size` gave."""
        step = self.multiple
        return -(-height // step) * step, -(-width // step) * step


def network_input(image: Pixels, scale: Scale) -> Tensor:
    """float32 [3, H', W'] of a uint8 [H, W, 3] image: bilinear without antialiasing, normalised, zeros right and below.

    Source: the test pipeline of mmdet 2.x (Resize keep_ratio, Normalize, Pad size_divisor), which GenEval runs.
    """
    height, width = scale.size(*image.shape[:2])
    scaled = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    x = (scaled.astype(np.float32) - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    out = np.zeros((3, *scale.padded(height, width)), np.float32)
    out[:, :height, :width] = x.transpose(2, 0, 1)
    return torch.from_numpy(out)
