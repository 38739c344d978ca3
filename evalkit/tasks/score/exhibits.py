"""Which images of a scoring are shown: those that carry the distance, those that hold it down, and some all over the map."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.arrow import numbers
from evalkit.metrics.rows import Array, Index
from evalkit.tasks.score.rows import CONTRIBUTION, IMAGES, MAP, REFERENCE

SPREAD = 10  # images of each set on the map
SEARCHED = 2_000  # images of a set that those are chosen from


def entries_of(samples: pa.Table, most: int) -> list[dict[str, Any]]:
    """What the page shows, at most `most` that carry the distance or hold it down, and where each of it lies in its set."""
    mine = _side(samples, IMAGES)
    values = numbers(mine[CONTRIBUTION])
    order = np.argsort(-values, kind="stable")
    carry, hold = values[order] > 0, values[order] < 0  # of a small set one of these can be few, and nan is neither
    ends = {"farthest": order[carry][:most], "nearest": order[hold][::-1][:most]}
    entries = [each for which, at in ends.items() for each in _entries(mine, IMAGES, which, at)]
    for side in (IMAGES, REFERENCE):
        table = _side(samples, side)
        entries += _entries(table, side, f"map-{side}", spread(coordinates(table), SPREAD))
    return entries


def coordinates(table: pa.Table) -> Array:
    """Where the images of a table lie on the map, [n, 2]; nan where they have no place."""
    if not set(MAP) <= set(table.column_names):
        return np.full((table.num_rows, 2), np.nan)
    columns = [numbers(table[name]) for name in MAP]
    return np.stack(columns, 1)


def spread(points: Array, most: int) -> Index:
    """Rows of `points` [n, 2] that lie far from each other: the outermost, then always the one farthest from all others."""
    known = np.flatnonzero(np.isfinite(points).all(1))
    known = known[:: max(1, -(-len(known) // SEARCHED))]
    if not len(known):
        return known
    there = points[known] - points[known].mean(0)
    there /= np.maximum(there.std(0), 1e-12)
    chosen = [int(np.square(there).sum(1).argmax())]
    nearest = np.full(len(known), np.inf)
    while len(chosen) < min(most, len(known)):
        nearest = np.minimum(nearest, np.square(there - there[chosen[-1]]).sum(1))
        chosen.append(int(nearest.argmax()))
    return known[chosen]


def _side(samples: pa.Table, side: str) -> pa.Table:
    return samples.filter(pc.equal(samples["side"], side))


def _entries(table: pa.Table, side: str, which: str, places: Index) -> Iterator[dict[str, Any]]:
    for rank, at in enumerate(places.tolist()):
        value = table[CONTRIBUTION][at].as_py()
        yield {
            "which": which,
            "side": side,
            "position": at,
            "id": table["id"][at].as_py(),
            CONTRIBUTION: None if value is None or np.isnan(value) else float(value),
            "file": f"images/{which}-{rank:02d}.png",
        }
