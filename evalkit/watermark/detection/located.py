"""Regions and gaps of the images of a shard: windows are looked at as codes of which all others are padding."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.watermark.decoys.base import Decoys
from evalkit.watermark.decoys.gaps import gaps_of
from evalkit.watermark.decoys.regions import LEAST, Region, Window, regions_of, windows
from evalkit.watermark.detection.grids import Grid, counted_cells, maps_of
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.mark import Codes, Mark, coloured, marks_of

LEVEL = 0.01  # family-wise, for each image; of regions, and of gaps
RULE = 2  # of the windows: 1 were squares that did not keep to the edges of codes
Parts = tuple[Region, ...]


class Locator:
    """Looks in codes of one layout for regions of a mark, and for gaps in it."""

    def __init__(self, mark: Mark, decoys: Decoys, level: float = LEVEL) -> None:
        self.mark, self.decoys, self.level = mark, decoys, level

    def columns(self, codes: Codes, reader: Reader) -> Mapping[str, Any]:
        """Of each of the images `regions` and `gaps` (JSON: boxes and their p), and their shares of the image's area."""
        reader.learn_layout()
        found = [self.found(each, reader.grid, reader.scales or ()) for each in codes]
        named = {"region": [each[0] for each in found], "gap": [each[1] for each in found]}
        return {
            name: column
            for kind, parts in named.items()
            for name, column in ((f"{kind}s", [*map(as_json, parts)]), (f"{kind}_share", [*map(_share, parts)]))
        }

    def found(self, codes: Codes, grid: Grid | None, scales: Sequence[int]) -> tuple[Parts, Parts]:
        """(regions, gaps) of one image; none where codes lie on no map. Gaps are looked for where there is a region."""
        tried, cells = looked_at(len(codes), grid, tuple(scales))
        if not tried:
            return (), ()
        seen = np.where(cells.reshape(*cells.shape, *[1] * (codes.ndim - 1)), codes, -1).astype(np.int64)
        mine = self.mark.evidence(seen, self.mark.score(seen).green)
        scores = np.concatenate([self.decoys.scores(seen), mine[:, None]], axis=1)
        regions = regions_of(scores, tried, self.level)
        if not regions:
            return (), ()
        first = tried.index(regions[0].window)
        return regions, self._gaps(codes, seen[first], tried, cells)

    def _gaps(self, codes: Codes, marked: Codes, tried: tuple[Window, ...], cells: npt.NDArray[np.bool_]) -> Parts:
        """Gaps under the mark and list that the codes `marked` speak for most."""
        scores = [(mark, mark.score(marked[None])) for mark in marks_of(self.mark)]
        mark, score = min(scores, key=lambda each: float(each[1].log_p[0]))
        green, units = coloured(mark, codes, int(score.list_id[0]))
        return gaps_of(green, units, cells, tried, self.level, self.decoys.keys)


@lru_cache(maxsize=4)
def looked_at(
    count: int, grid: Grid | None, scales: tuple[int, ...]
) -> tuple[tuple[Window, ...], npt.NDArray[np.bool_]]:
    """(windows, bool [W, count]: the codes that lie in them wholly); none where codes lie on no map."""
    if grid is None or not maps_of(count, grid, scales):
        return (), np.zeros((0, count), bool)
    tried = windows(*grid)
    cells = [counted_cells(each.known(), count, grid, scales) for each in tried]
    kept = [(each, cell) for each, cell in zip(tried, cells, strict=True) if cell is not None and cell.sum() >= LEAST]
    return tuple(each for each, _ in kept), np.array([cell for _, cell in kept], bool).reshape(len(kept), count)


def as_json(found: Sequence[Region]) -> str:
    """Regions as rows hold them: [{"box": [left, top, right, bottom], "p": 0.001}, …], boxes as shares of the sides."""
    return json.dumps([{"box": each.window.as_box(), "p": round(each.p, 6)} for each in found])


def _share(found: Sequence[Region]) -> float:
    return sum(each.window.share for each in found)
