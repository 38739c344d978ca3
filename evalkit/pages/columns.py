"""What the page takes from samples.parquet: by whole columns, so that a million rows cost no more than a look."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.arrow import equal, numbers
from evalkit.metrics.text_rates import CER_ORIGINAL, CER_TRUTH
from evalkit.runs.store import Run

FAILED = 50
PARTS = 6  # subsets drawn apart
Values = npt.NDArray[np.float64]


def first_protocol(run: Run) -> str:
    """The protocol that images, texts and distributions are shown under."""
    return str(run.record["protocols"][0]["id"])


def values(run: Run, metric: str) -> Values:
    """All values of one metric, one per image, infinite ones too; empty where the column is absent."""
    table = _of_first_protocol(run, metric)
    return _known(table[metric]) if metric in table.column_names else np.zeros(0)


def values_by_part(run: Run, metric: str) -> list[tuple[str, Values]]:
    """The values of `metric` for each part of the data set; one unnamed part where there are none or too many."""
    table = _of_first_protocol(run, metric, "subset")
    if metric not in table.column_names:
        return []
    names = sorted(pc.unique(table["subset"]).drop_null().to_pylist()) if "subset" in table.column_names else []
    if not 2 <= len(names) <= PARTS:
        return [("", _known(table[metric]))]
    apart = [(str(name), _known(table.filter(equal(table["subset"], name))[metric])) for name in names]
    return [(name, part) for name, part in apart if len(part)]


def failed(run: Run) -> tuple[list[dict[str, Any]], int]:
    """The first failed samples with their reasons, once each, and how many there are."""
    if "error" not in run.samples.column_names:
        return [], 0
    bad = run.samples.select(["id", "error"])
    bad = bad.filter(pc.is_valid(bad["error"]))
    count = int(pc.count_distinct(bad["id"]).as_py())
    head = bad.slice(0, FAILED * len(run.record["protocols"])).to_pylist()
    return list({row["id"]: row for row in reversed(head)}.values())[::-1][:FAILED], count


def texts(run: Run, most: int) -> list[dict[str, Any]]:
    """The samples whose text suffered most, worst first; a column that the run lacks is None."""
    wanted = ("id", "text_truth", "text_original", "text_reconstruction", CER_TRUTH.name, CER_ORIGINAL.name)
    table = _of_first_protocol(run, *wanted)
    if "text_reconstruction" not in table.column_names:
        return []
    table = table.filter(pc.is_valid(table["text_reconstruction"]))
    rate = [name for name in (CER_ORIGINAL.name, CER_TRUTH.name) if name in table.column_names][
        :1
    ]  # as images are kept
    rows = table.sort_by([*((name, "descending") for name in rate), ("id", "ascending")]).slice(0, most).to_pylist()
    return [{name: row.get(name) for name in wanted} for row in rows]


def _of_first_protocol(run: Run, *columns: str) -> pa.Table:
    """Those of `columns` that the run has, rows of its first protocol only."""
    have = [name for name in columns if name in run.samples.column_names]
    table = run.samples.select(have)
    if not have or "protocol" not in run.samples.column_names:
        return table
    return table.filter(equal(run.samples["protocol"], first_protocol(run)))


def _known(column: pa.ChunkedArray) -> Values:
    found = numbers(column)
    return found[~np.isnan(found)]
