"""The samples behind a number: found in samples.parquet, and believed only where they give the number again.

A metric declares how its number is a function of sums over samples (metrics/sums.py). Every sample has an influence on
it, so that the errors of two systems on the same samples, or on the same prompts, are known together (stats/units.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.leaderboard.scores import Names, Restricted, Scores, names_digest
from evalkit.metrics.registry import METRICS
from evalkit.metrics.sums import OWN_MEAN, BySample, Mask, Sums
from evalkit.stats.units import Array

CLUSTERS = ("cluster", "prompt_id")  # columns that say which samples vary together
NEEDED = ("id", "protocol", "subset", "task", "script", "error", *CLUSTERS, "prompt")
TOLERANCE = 1e-9  # relative: results are aggregated from these very rows


class SampleTable:
    """The samples of one run, as numpy columns, by result."""

    def __init__(self, table: pa.Table, data: str) -> None:
        self.table, self.data, self.n = _sorted(table), data, table.num_rows
        self._columns: dict[str, Any] = {}
        self._digests: dict[bytes, str] = {}
        self._rows: dict[tuple[str, str, str], list[Mask]] = {}

    def scores(self, result: Mapping[str, Any], value: float) -> Scores | None:
        """What `result` was aggregated from, None where no rows of this run give its `value` again."""
        found = self._found(result, value)
        return None if found is None else self._made(*found[:2])

    def restricted(self, result: Mapping[str, Any], value: float, mine: Mask) -> Restricted | None:
        """The same number of the samples `mine` [n] only; None where its `value` does not follow from the samples."""
        metric, found = str(result["metric"]), self._found(result, value)
        if found is None:
            return None
        rows, _, way = found
        listed = list(_by_sample(metric).ways(metric, self, rows & mine))
        if way >= len(listed):
            return None
        keep = rows & mine & ~np.isnan(listed[way].values)
        return Restricted(self._made(keep, listed[way]), listed[way].value, self.table.filter(pa.array(keep)))

    def called(self, names: Mapping[str, str]) -> Names:
        """What each row's sample is called [n]."""
        return np.array([names.get(each, each) for each in map(str, self._text("id"))], object)

    def failed(self) -> frozenset[str]:
        """Ids of the samples that could not be measured."""
        return frozenset(map(str, self._text("id")[self._given("error")]))

    def _found(self, result: Mapping[str, Any], value: float) -> tuple[Mask, Sums, int] | None:
        """The rows that give `value` with the sums of all rows, and the number of the way in which they do."""
        metric = str(result["metric"])
        if metric not in self.table.column_names:
            return None
        key = (str(result["task"]), str(result["dataset"]), str(result["protocol"]))
        if key not in self._rows:
            self._rows[key] = list(self._parts(result))
        for rows in self._rows[key]:
            for number, sums in enumerate(_by_sample(metric).ways(metric, self, rows)):
                keep = rows & ~np.isnan(sums.values)
                if _same(sums.value, value) and int(keep.sum()) == int(result["n"]):
                    return keep, sums, number
        return None

    def _made(self, keep: Mask, sums: Sums) -> Scores:
        ids = self._text("id")[keep]
        clusters = self._clusters()
        key = keep.tobytes()
        if key not in self._digests:
            self._digests[key] = names_digest(ids)
        return Scores(
            ids,
            sums.values[keep],
            None if sums.weights is None else sums.weights[keep],
            sums.gradient,
            None if clusters is None else clusters[keep],
            self._digests[key],
            own=None if sums.own is None else sums.own[keep],
        )

    def _parts(self, result: Mapping[str, Any]) -> Iterator[Mask]:
        """Rows that the result may speak of: its subset and task, its script, or all under its protocol."""
        good = ~self._given("error")
        if "protocol" in self.table.column_names:
            good = good & (self._text("protocol") == result["protocol"])
        dataset = str(result["dataset"])
        whole, _, script = (
            dataset.removesuffix("]").rpartition("[")
            if dataset.endswith("]") and dataset != self.data
            else (dataset, "", "")
        )
        names = self.table.column_names
        if "subset" in names:
            subset = whole.removeprefix(self.data).removeprefix("/")
            mine = self._text("subset")
            part = good & ((mine == subset) if subset else np.ones(self.n, bool))
            if script and "script" in names:
                part = part & (self._text("script") == script)
            if "task" in names:
                tasks = self._text("task")
                yield part & ((tasks == result["task"]) | ~self._given("task"))
            yield part
            last = whole.rpartition("/")[2]
            yield good & (mine == last)
        yield good

    def counted(self, name: str, unit: Callable[[str], float]) -> Array | None:
        """`unit` of each text of a column, nan where a sample has none; None where the run has no such column."""
        if name not in self.table.column_names:
            return None
        key = f"{name}|{unit.__qualname__}"
        if key not in self._columns:
            texts = self.table[name].to_pylist()
            self._columns[key] = np.array([math.nan if text is None else unit(text) for text in texts], np.float64)
        found: Array = self._columns[key]
        return found

    def _clusters(self) -> Names | None:
        """The prompt or other cluster of each sample, where several samples have the same one."""
        column = next((name for name in CLUSTERS if name in self.table.column_names), None)
        if column is None:
            return None
        if "|clusters" not in self._columns:
            names = self._text(column)
            alone = pc.count_distinct(self.table["id"]).as_py()
            several = pc.count_distinct(self.table[column]).as_py() < alone and not self._missing(column)
            self._columns["|clusters"] = names if several else None
        found: Names | None = self._columns["|clusters"]
        return found

    def _missing(self, name: str) -> bool:
        return bool(self.table[name].null_count)

    def numbers(self, name: str) -> Array | None:
        """A column as numbers, nan where a sample has none; None where the run has no such column."""
        if name not in self.table.column_names:
            return None
        if name not in self._columns:
            column = self.table[name]
            if pa.types.is_boolean(column.type):
                column = pc.cast(column, pa.int8())
            try:
                self._columns[name] = np.asarray(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False))
            except pa.ArrowException:  # a column of that name that holds no numbers
                self._columns[name] = np.full(self.n, math.nan)
        found: Array = self._columns[name]
        return found

    def _text(self, name: str) -> Names:
        key = f"{name}|text"
        if key not in self._columns:
            self._columns[key] = np.asarray(self.table[name].to_numpy(zero_copy_only=False), object)
        found: Names = self._columns[key]
        return found

    def _given(self, name: str) -> npt.NDArray[np.bool_]:
        if name not in self.table.column_names:
            return np.zeros(self.n, bool)
        found: npt.NDArray[np.bool_] = np.asarray(pc.is_valid(self.table[name]).to_numpy(zero_copy_only=False))
        return found


def _sorted(table: pa.Table) -> pa.Table:
    """The rows in the order of their ids."""
    ids = table["id"].combine_chunks()
    if len(ids) < 2 or pc.all(pc.less_equal(ids[:-1], ids[1:])).as_py():
        return table
    return table.take(pc.sort_indices(table, sort_keys=[("id", "ascending")]))


def _by_sample(metric: str) -> BySample:
    declared = METRICS.find(metric)
    return declared.by_sample if declared else OWN_MEAN


def _same(a: float, b: float) -> bool:
    return a == b or abs(a - b) <= TOLERANCE * max(abs(a), abs(b)) + 1e-12
