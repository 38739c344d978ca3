"""Rows of a run gathered by attack, contender and set, shard by shard: numbers are kept, rows are not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.arrow import numbers
from evalkit.watermark.robustness.rows import EMBEDDING, MARKED, NOTHING, QUALITY

Floats = npt.NDArray[np.float64]
Group = tuple[str, str, str]  # attack, contender, set
COLUMNS = ("log_p", *QUALITY)


class Tally:
    """`images`, `absent`, `failed`: why an image could not be read, a contender not mark, an attack not be done.

    `sources`: sha256 by id of the unmarked images; `marked`: the same of images that carry the mark of `given`.
    """

    def __init__(self, tables: Iterable[pa.Table], given: str | None = None) -> None:
        self.sources: dict[str, str | None] = {}
        self.marked: dict[str, str | None] = {}
        self.images: dict[str, str] = {}
        self.absent: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self._parts: dict[Group, list[Floats]] = {}
        for table in tables:
            self._add_sources(table, given)
            self._add_errors(table.filter(pc.is_valid(table["error"])).to_pylist())
            for group, values in _groups(table.filter(pc.is_null(table["error"]))):
                self._parts.setdefault(group, []).append(values)

    def column(self, attack: str, contender: str, which: str, name: str) -> Floats:
        """One column of a group, float64 [n]; nan where there is no number."""
        at = COLUMNS.index(name)
        return np.concatenate([np.zeros(0), *(each[:, at] for each in self._parts.get((attack, contender, which), ()))])

    def _add_sources(self, table: pa.Table, given: str | None) -> None:
        first = table.filter(pc.equal(table["attack"], NOTHING))
        carry = pc.and_(pc.equal(first["set"], MARKED), pc.or_(pc.is_null(first["contender"]), _is(first, given)))
        for rows, found in (
            (first.filter(pc.not_equal(first["set"], MARKED)), self.sources),
            (first.filter(carry), self.marked),
        ):
            found.update(zip(rows["id"].to_pylist(), rows["source_sha256"].to_pylist(), strict=True))

    def _add_errors(self, rows: Iterable[dict[str, Any]]) -> None:
        for row in rows:
            if row["contender"] is None:
                self.images.setdefault(row["id"], row["error"])
            elif row["set"] == EMBEDDING:
                self.absent.setdefault(row["contender"], row["error"])
            else:
                self.failed.setdefault(row["attack"], row["error"])


def _is(table: pa.Table, contender: str | None) -> pa.ChunkedArray:
    return pc.fill_null(pc.equal(table["contender"], pa.scalar(contender, pa.string())), False)


def _groups(table: pa.Table) -> Iterator[tuple[Group, Floats]]:
    """The groups of a table with their numbers, float64 [n, 4]; rows of a group keep their order."""
    if not table.num_rows:
        return
    values = np.stack([numbers(table[name]) for name in COLUMNS], axis=1)
    names, key = [], np.zeros(table.num_rows, np.int64)
    for column in ("attack", "contender", "set"):
        coded = table[column].combine_chunks().dictionary_encode()
        names.append(coded.dictionary.to_pylist())
        key = key * len(names[-1]) + coded.indices.to_numpy()
    order = np.argsort(key, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(key[order])) + 1):
        rest, which = divmod(int(key[rows[0]]), len(names[2]))
        attack, contender = divmod(rest, len(names[1]))
        yield (names[0][attack], names[1][contender], names[2][which]), values[rows]
