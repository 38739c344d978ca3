"""Rows of a calibration: one per null image, with the statistic that images will be compared by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evalkit.runs.shards import Parts
from evalkit.watermark.detection.reader import Read
from evalkit.watermark.detection.rows import LN10, OF_FILE, SHARD, hex_of, spread
from evalkit.watermark.detection.scan import Found

FILE = ("id", "sha256", *OF_FILE)
SCORED = ("codes", "distinct", "design_effect", "list_id", "green", "log10_p", "transform")
NULLS = pa.schema(
    [
        *(SHARD.field(name) for name in (*FILE, *SCORED)),
        ("statistic", pa.float64()),
        ("warning", pa.string()),
        ("error", pa.string()),
    ]
)


def null_rows(
    read: Sequence[Read], found: Found | None, views: Sequence[str], warnings: Sequence[str | None]
) -> pa.Table:
    """Rows of images; without `found` (no mark was given) nothing is scored.

    `statistic`: -log10 of p times all tests, not clipped; `log10_p`: clipped at 0. `views`: names, "" for the image itself.
    """
    kept = [each.kept for each in read]
    good = np.array([each is not None for each in kept], dtype=bool)
    columns: dict[str, Any] = {
        "id": [each.id for each in read],
        "sha256": [each.sha256 for each in read],
        **{name: [None if k is None else getattr(k, name) for k in kept] for name in OF_FILE},
        "warning": warnings,
        "error": [each.reason for each in read],
    }
    scored: dict[str, Any] = {}
    if found is not None:
        best = found.best
        scored = {name: getattr(best, name) for name in ("codes", "distinct", "design_effect", "list_id", "green")}
        scored["log10_p"], scored["statistic"] = found.log_p / LN10, found.statistic
        scored["transform"] = np.array(list(views), dtype=object)[best.view]
    arrays = [
        pa.array(columns[each.name], each.type)
        if each.name in columns
        else spread(scored[each.name], good, each.type)
        if each.name in scored
        else pa.nulls(len(read), each.type)
        for each in NULLS
    ]
    return pa.Table.from_arrays(arrays, schema=NULLS)


class GroupedTables:
    """The rows of samples.parquet, shard by shard; every iteration starts again."""

    def __init__(self, parts: Parts, ids: Sequence[str], first: npt.NDArray[np.int64]) -> None:
        """`first` [n]: for each image the place of the first of its group, -1 where it could not be read."""
        self._parts, self._ids, self._first = parts, ids, first

    def __iter__(self) -> Iterator[pa.Table]:
        start = 0
        for table in self._parts.tables():
            places = self._first[start : start + len(table)].tolist()
            group = [None if place < 0 else self._ids[place] for place in places]
            used = [None if place < 0 else place == at for at, place in enumerate(places, start)]
            start += len(table)
            yield grouped(table, group, used)


def grouped(table: pa.Table, group: Sequence[str | None], used: Sequence[bool | None]) -> pa.Table:
    """Rows as samples.parquet holds them. `used`: whether the image is the first of its near-copies, which alone counts."""
    columns = {name: table[name] for name in NULLS.names}
    columns["phash"] = hex_of(table["phash"])
    columns |= {"group": pa.array(group, pa.string()), "used": pa.array(used, pa.bool_())}
    return pa.table(columns)
