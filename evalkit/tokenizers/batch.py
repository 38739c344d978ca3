"""What `encode` is given: a batch of images as a tensor or an array, on the [0, 1] scale and on no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from evalkit.errors import EvalkitError

Batch = Tensor | npt.NDArray[Any]
MOST = 2.0  # images on [0, 1] overshoot a little where a decoder made them; grey levels do not end here


def as_batch(images: Batch) -> Tensor:
    """The images [B, 3, H, W] as a float tensor; raises `EvalkitError` for whole numbers, other scales and shapes."""
    given = torch.from_numpy(np.ascontiguousarray(images)) if isinstance(images, np.ndarray) else images
    if not isinstance(given, Tensor) or given.ndim != 4 or given.shape[1] != 3:
        shape = f"shape {tuple(given.shape)}" if isinstance(given, Tensor) else type(given).__name__
        raise EvalkitError(f"encode takes images as [B, 3, H, W]; {shape} was given. Put the channels second")
    if not given.is_floating_point():
        kind = str(given.dtype).removeprefix("torch.")
        raise EvalkitError(f"encode takes images on the [0, 1] scale; {kind} was given. Divide them by 255")
    if given.numel() and (most := float(given.max())) > MOST:
        raise EvalkitError(f"encode takes images on the [0, 1] scale; values up to {most:g} were given. Divide by 255")
    return given
