"""Codes of an image under views: each view is encoded once, and moved by whole cells in the code map."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor

from evalkit.images.sample import Pixels
from evalkit.tokenizers.base import Codes
from evalkit.watermark.detection.grids import counted_cells, rolled
from evalkit.watermark.detection.layout import grid_of, stacked, values_of
from evalkit.watermark.detection.views import View
from evalkit.watermark.template.pose import Pose

FINER = 2  # times the tokenizer's side at which an image is scaled and turned by views
SURE = 6.0  # a peak of a template, in standard deviations, from which on more is tried behind it


def possible(views: Sequence[View], pose: Pose | None) -> list[View]:
    """The views but those by a template that is not there; those that change what it found need a sure one."""
    seen, sure = pose is not None, pose is not None and pose.peak >= SURE
    return [view for view in views if (sure if view.behind else seen or not view.template)]


def viewed(
    views: Sequence[View],
    square: Pixels,
    fine: Pixels | None,
    pose: Pose | None,
    encode: Callable[[Tensor], Codes],
    batch: int,
) -> Iterator[tuple[View, npt.NDArray[np.int64]]]:
    """(view, codes) of an image as the tokenizer takes it; codes of cells that the view had to fill are -1.

    Neighbours that differ by whole cells alone are encoded once, `batch` encodings at a time. `fine`: the image at `FINER`
    times the side, which views need that resample it; `pose`: of the template.
    """
    groups = [(base, list(each)) for base, each in itertools.groupby(views, lambda view: view.encoded)]
    for start in range(0, len(groups), batch):
        part = groups[start : start + batch]
        seen = [
            base.look(square) if fine is None or not base.resamples else base.look(fine, FINER, pose)
            for base, _ in part
        ]
        codes = encode(stacked([pixels for pixels, _ in seen]))
        grid = grid_of(codes)
        for (_, members), row, (_, known) in zip(part, values_of(codes), seen, strict=True):
            kept = counted_cells(known, len(row), grid, codes.scale_lengths or ())
            own = row if kept is None else np.where(kept if row.ndim == 1 else kept[:, None], row, -1)
            yield from ((view, rolled(own, view.right, view.down, grid)) for view in members)
