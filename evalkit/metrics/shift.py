"""Consistency under shifts: do the reconstruction and the codes move along when the image moves a little?"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from evalkit.metrics.aggregate import MeanOf
from evalkit.metrics.metric import Metric, everywhere, floats

PIXELS = 4  # half of the smallest stride in the field


def moved_share(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> list[float]:
    """Share of codes that move along by one cell right and down, per image, of grids [B, rows, columns, K].

    >>> import numpy as np
    >>> grid = np.arange(9).reshape(1, 3, 3, 1)
    >>> moved_share(grid, np.roll(grid, (1, 1), (1, 2)))
    [1.0]
    """
    same = (before[:, :-1, :-1] == after[:, 1:, 1:]).all(-1)
    return [float(share) for share in same.reshape(len(same), -1).mean(1)]


def _declared(name: str, label: str, title: str, unit: str, high: float | None, reason: str) -> Metric:
    return Metric(
        name=name,
        label=label,
        title=title,
        unit=unit,
        better="higher",
        low=0.0,
        high=high,
        level="sample",
        task="shift",
        columns=floats(name),
        aggregate=MeanOf(name, empty=reason),
        under=everywhere,
        shown=frozenset(),
    )


SHIFT_PSNR = _declared(
    "shift_psnr",
    f"PSNR after a shift of {PIXELS} px",
    f"agreement of reconstructions after a shift by {PIXELS} px",
    "dB",
    None,
    "no image could be moved and encoded again",
)
SHIFT_CODES = _declared(
    "shift_codes",
    "Codes that move along",
    "share of codes that move along by one cell",
    "",
    1.0,
    "only codes that are one for each cell of a grid can move with the image",
)
DECLARED = (SHIFT_PSNR, SHIFT_CODES)
