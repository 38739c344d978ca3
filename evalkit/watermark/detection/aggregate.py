"""Finished shards to rows with group, q and verdict, results and what the record says; two passes over the shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.jobs.spec import Spec
from evalkit.jobs.task import Aggregated
from evalkit.jsonio import pretty_json
from evalkit.runs.shards import Parts
from evalkit.version import __version__
from evalkit.watermark.decoys.ranks import Ranked
from evalkit.watermark.detection.columns import NEEDED, Columns, columns_of, counts_of, joined, method_of, why_open
from evalkit.watermark.detection.data import data_said
from evalkit.watermark.detection.decoy_scores import FILE, as_arrow, file_pieces, of_folder, row_columns, said_of
from evalkit.watermark.detection.heat import INDEX
from evalkit.watermark.detection.results import results_of
from evalkit.watermark.detection.rows import LN10, csv_pieces, judged_rows
from evalkit.watermark.detection.verdict import ERROR, INCONCLUSIVE, Judged, Rule, judge
from evalkit.watermark.shipped import identity_of

UNCALIBRATED = (
    "the exact p decides: its rates hold on average over keys, and this key may call many times more of your images, or "
    "fewer. Leave out --decide and --decoys 0, so that decoy keys tell, or give --calibration FILE"
)


class JudgedTables:
    """The rows of samples.parquet, shard by shard; every iteration starts again."""

    def __init__(
        self, parts: Parts, columns: Columns, judged: Judged, made_with: Mapping[str, str], decoys: Ranked | None = None
    ) -> None:
        self._parts, self._columns, self._judged, self._made_with = parts, columns, judged, made_with
        self._decoys = row_columns(decoys, columns.log_decoys, columns.good, len(columns.ids))

    def __iter__(self) -> Iterator[pa.Table]:
        columns, first, n = self._columns, self._columns.first, len(self._columns.ids)
        q, decides, verdict = np.full(n, np.nan), np.full(n, np.nan), np.full(n, ERROR, dtype="U12")
        q[columns.good], verdict[columns.good] = self._judged.q, self._judged.verdict
        decides[columns.good] = columns.log_p / LN10
        why: npt.NDArray[np.object_] = np.full(n, None, dtype=object)
        why[columns.good] = why_open(columns, self._judged)
        start = 0
        for table in self._parts.tables():
            here = slice(start, start + len(table))
            start += len(table)
            more = {
                "group": pa.array([None if place < 0 else columns.ids[place] for place in first[here]], pa.string()),
                "log10_p_decides": pa.array(decides[here], pa.float64(), from_pandas=True),
                "q": pa.array(q[here], pa.float64(), from_pandas=True),
                "why": pa.array([each or None for each in why[here]], pa.string()),
                "verdict": pa.array(verdict[here], pa.string()),
                **as_arrow(self._decoys, here),
            }
            yield judged_rows(table, more, self._made_with)


def aggregate(spec: Spec, parts: Parts) -> Aggregated:
    """Groups, q-values and verdicts over the folder; memory holds a few columns of all rows and one shard's rows."""
    rule, name = Rule(**spec.parameters["rule"]), spec.inputs["data"].name
    table = joined(parts.tables(), NEEDED)
    asked = spec.parameters.get("decoys")  # plans before version 4 know none
    floor = table.filter(pc.is_valid(table["log10_p"]))["log10_p_smallest"].to_numpy() * LN10
    decoys = None
    if asked and len(floor):
        searched = bool(spec.parameters["search"])
        decoys = of_folder(parts, rule.alpha, asked, floor, searched=searched)
    columns = columns_of(table, rule, decoys)
    judged = judge(columns.log_p, columns.log_floor, columns.group, columns.content, rule)
    counts = counts_of(columns, judged)
    located = count_located(parts, spec.parameters.get("regions"))
    rows = JudgedTables(parts, columns, judged, made_with(spec), decoys)
    results = results_of(columns, judged, counts, rule, method_of(spec.parameters["mark"]), name, decoys, located)
    files: dict[str, bytes | Iterable[bytes]] = {
        "samples.csv": csv_pieces(rows),
        INDEX: pretty_json([]),
    }  # heat maps, if any are wanted, come later
    data = data_said(spec, table, unreadable=counts[ERROR], duplicates=counts["duplicates"])
    told = {"data": data, **facts(spec, next(iter(parts.facts()), {}), counts)}
    if located:
        told["detection"]["regions"] = {**spec.parameters["regions"], **located}
    if decoys is not None and asked:
        files[FILE] = file_pieces(parts)
        told["detection"]["decoys"] = said_of(decoys, asked)
    return Aggregated(rows, results, files, told)


def count_located(parts: Parts, asked: Mapping[str, Any] | None) -> dict[str, int]:
    """`images`: how many have a region that carries the mark, `gaps`: or a gap in it; nothing where nobody asked.

    Plans of the first rule looked for no gaps.
    """
    columns = {"images": "region_share"} | ({"gaps": "gap_share"} if asked and asked.get("rule", 1) > 1 else {})
    return {
        name: sum(pc.sum(pc.greater(table[column], 0.0)).as_py() or 0 for table in parts.tables())
        for name, column in (columns if asked else {}).items()
    }


def made_with(spec: Spec) -> dict[str, str]:
    """What every row says of the code that made it."""
    tokenizer = spec.models["tokenizer"]
    return {
        "tokenizer": identity_of(tokenizer),
        "preparation": spec.parameters["preparation"],
        "evalkit": __version__,
    }


def facts(spec: Spec, worker: Mapping[str, Any], counts: Mapping[str, Any]) -> dict[str, Any]:
    """What the record says of tokenizer and verdicts; `worker`: facts of a shard."""
    asked, n, told = spec.parameters, spec.inputs["data"].n, spec.here.get("data", {})
    views = worker.get("views", [])
    return {
        "model": worker.get("model", {}),
        "detection": {
            "mark": worker.get("mark", asked["mark"]),
            **{name: asked[name] for name in ("rule", "calibration", "c2pa", "heat_maps")},
            "search": views[1:],
            "counts": dict(counts),
            "views": views,
            "warnings": [
                *([UNCALIBRATED] if asked["rule"]["decide"] == "exact" else []),
                *worker.get("warnings", []),
                *_hopeless(counts, n),
                *told.get("remarks", []),
            ],
        },
    }


def _hopeless(counts: Mapping[str, Any], n: int) -> Sequence[str]:
    if not n or counts[INCONCLUSIVE] < n / 2:
        return []
    nulls = counts["inconclusive_nulls"]
    codes = counts[INCONCLUSIVE] - nulls
    said = []
    if codes:
        said.append(
            f"{codes:,} of {n:,} images have too few different codes to be detected at this rate; "
            "give a larger --alpha, look for fewer lists and views, or mark with a smaller --gamma"
        )
    if nulls:
        said.append(
            f"{nulls:,} of {n:,} images are inconclusive because their calibration has too few null images for this "
            "rate; give a larger --alpha, or calibrate with more of them"
        )
    return said
