"""The samples behind a number: found in samples.parquet, and believed only where they give the number again.

A metric declares how its number is a function of sums over samples (metrics/sums.py). Every sample has an influence on
it, so that the errors of two systems on the same samples, or on the same prompts, are known together (stats/units.py).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.metrics.registry import METRICS
from evalkit.metrics.sums import OWN_MEAN
from evalkit.stats.units import Array, Units, units_of

Names = npt.NDArray[np.object_]
NEEDED = ("id", "protocol", "subset", "task", "script", "error", "prompt_id", "prompt")
TOLERANCE = 1e-9  # relative: results are folded from these very rows


@dataclass(frozen=True)
class Scores:
    """One number by its samples: sum of `values` over sum of `weights`, both [n], times `gradient` for its function.

    `ids` [n] and `clusters` [n] (prompts; None where every sample is alone) name them; `digest` is that of the ids.
    """

    ids: Names
    values: Array
    weights: Array | None
    gradient: float
    clusters: Names | None
    digest: str

    @property
    def plain(self) -> bool:
        """Whether the number is the mean of the values."""
        return self.weights is None and self.gradient == 1.0

    @property
    def binary(self) -> bool:
        """Whether every value is 0 or 1."""
        return self.plain and bool(np.all((self.values == 0) | (self.values == 1)))

    @property
    def units(self) -> Units:
        """The samples, or the prompts that they belong to."""
        if self.weights is None:
            return units_of(self.values, self.clusters)
        top, bottom = units_of(self.values, self.clusters), units_of(self.weights, self.clusters)
        return Units(top.top, bottom.top, top.clustered)

    @property
    def names(self) -> Names:
        """The name of each unit, in the order of `units`."""
        return self.ids if self.clusters is None else np.unique(self.clusters)


class SampleTable:
    """The samples of one run, as numpy columns, by result."""

    def __init__(self, table: pa.Table, data: str) -> None:
        self.table, self.data, self.n = table, data, table.num_rows
        self._columns: dict[str, Any] = {}
        self._digests: dict[bytes, str] = {}
        self._rows: dict[tuple[str, str, str], list[npt.NDArray[np.bool_]]] = {}

    def scores(self, result: Mapping[str, Any], value: float) -> Scores | None:
        """What `result` was folded from, None where no rows of this run give its `value` again."""
        metric = str(result["metric"])
        if metric not in self.table.column_names or not math.isfinite(value):
            return None
        key = (str(result["task"]), str(result["dataset"]), str(result["protocol"]))
        if key not in self._rows:
            self._rows[key] = list(self._parts(result))
        for rows in self._rows[key]:
            for values, weights, gradient in self._ways(metric, rows, value):
                keep = rows & ~np.isnan(values)
                if int(keep.sum()) != int(result["n"]):
                    continue
                return self._made(keep, values, weights, gradient)
        return None

    def _made(self, keep: npt.NDArray[np.bool_], values: Array, weights: Array | None, gradient: float) -> Scores:
        ids = self._text("id")[keep]
        clusters = self._clusters()
        key = keep.tobytes()
        if key not in self._digests:
            self._digests[key] = hashlib.sha256("\0".join(map(str, ids)).encode("utf-8", "surrogatepass")).hexdigest()
        return Scores(
            ids,
            values[keep],
            None if weights is None else weights[keep],
            gradient,
            None if clusters is None else clusters[keep],
            self._digests[key],
        )

    def _parts(self, result: Mapping[str, Any]) -> Iterator[npt.NDArray[np.bool_]]:
        """Rows that the result may speak of: its subset and task, its script, or all under its protocol."""
        good = ~self._given("error")
        if "protocol" in self.table.column_names:
            good = good & (self._text("protocol") == result["protocol"])
        dataset = str(result["dataset"])
        whole, _, script = dataset.removesuffix("]").rpartition("[") if dataset.endswith("]") else (dataset, "", "")
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

    def _ways(
        self, metric: str, rows: npt.NDArray[np.bool_], value: float
    ) -> Iterator[tuple[Array, Array | None, float]]:
        """(values, weights, gradient) that give `value` on these rows."""
        declared = METRICS.find(metric)
        ways = declared.by_sample if declared else OWN_MEAN
        for sums in ways.ways(metric, self, rows):
            if _same(sums.value, value):
                yield sums.values, sums.weights, sums.gradient

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
        """The prompt of each sample, where several samples have the same one."""
        if "prompt_id" not in self.table.column_names:
            return None
        if "|clusters" not in self._columns:
            names = self._text("prompt_id")
            alone = pc.count_distinct(self.table["id"]).as_py()
            several = pc.count_distinct(self.table["prompt_id"]).as_py() < alone and not self._missing("prompt_id")
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


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= TOLERANCE * max(abs(a), abs(b)) + 1e-12
