"""Regions of the images of a shard: windows are looked at as codes of which all others are padding."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.watermark.decoys.base import Decoys
from evalkit.watermark.decoys.regions import LEAST, Region, regions_of, windows
from evalkit.watermark.detection.grids import counted_cells
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.mark import Codes, Mark

LEVEL = 0.01  # family-wise, for each image
COLUMNS = ("regions", "region_share")


class Locator:
    """Looks for regions of a mark in codes of one layout."""

    def __init__(self, mark: Mark, decoys: Decoys, level: float = LEVEL) -> None:
        self.mark, self.decoys, self.level = mark, decoys, level

    def columns(self, codes: Codes, reader: Reader) -> Mapping[str, Any]:
        """`regions` (JSON: boxes and their p) and `region_share` (of the image's area) of each of the images."""
        reader.learn_layout()
        found = [self.found(each, reader.grid, reader.scales or ()) for each in codes]
        return {
            "regions": [as_json(each) for each in found],
            "region_share": [sum(region.window.share for region in each) for each in found],
        }

    def found(self, codes: Codes, grid: tuple[int, int] | None, scales: Sequence[int]) -> tuple[Region, ...]:
        """The regions of one image; none where codes lie on no map."""
        cells = [counted_cells(each.known(), len(codes), grid, scales) for each in windows()]
        kept = [(window, cell) for window, cell in zip(windows(), cells, strict=True) if cell is not None]
        kept = [(window, cell) for window, cell in kept if cell.sum() >= LEAST]
        if not kept:
            return ()
        seen = np.stack([_only(codes, cell) for _, cell in kept])
        mine = self.mark.evidence(seen, self.mark.score(seen).green)
        scores = np.concatenate([self.decoys.scores(seen), mine[:, None]], axis=1)
        return regions_of(scores, tuple(window for window, _ in kept), self.level)


def as_json(found: Sequence[Region]) -> str:
    """Regions as rows hold them: [{"box": [left, top, right, bottom], "p": 0.001}, …], boxes as shares of the sides."""
    return json.dumps([{"box": each.window.as_box(), "p": round(each.p, 6)} for each in found])


def _only(codes: Codes, cell: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    shape = cell.reshape(-1, *[1] * (codes.ndim - 1))
    return np.where(shape, codes, -1).astype(np.int64)
