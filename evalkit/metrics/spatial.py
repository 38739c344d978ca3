"""sFID's features: where things are in an image, by seven channels of an inner layer (Nash et al. 2021, arXiv:2103.03841).

guided-diffusion's evaluator takes the first seven of the 192 channels of the 1x1 branch of Mixed_6d (the graph's mixed_6),
17 x 17 places, flattened with the channels last: 2,023 numbers. The Fréchet distance itself does not depend on the order,
but stored statistics do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.metrics.score import declare_score

CHANNELS = 7
DECLARED = (
    declare_score(
        "sfid", "sFID", "spatial Fréchet Inception distance", "lower", source="Nash et al. 2021, arXiv:2103.03841"
    ),
)


def x_to_features(maps: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Features [n, H * W * 7] of feature maps [n, C, H, W] with at least seven channels.

    >>> x_to_features(np.arange(2 * 8).reshape(1, 8, 1, 2)).tolist()
    [[0, 2, 4, 6, 8, 10, 12, 1, 3, 5, 7, 9, 11, 13]]
    """
    if maps.ndim != 4 or maps.shape[1] < CHANNELS:
        raise EvalkitError(
            f"Maps of sFID come as [n, C, H, W] with C from {CHANNELS}; {maps.shape} was given. Take Mixed_6d.branch1x1."
        )
    return np.moveaxis(maps[:, :CHANNELS], 1, -1).reshape(len(maps), -1)
