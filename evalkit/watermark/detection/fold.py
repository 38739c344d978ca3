"""Finished shards to samples.parquet and samples.csv with group, q and verdict; a few columns in memory, no whole rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evalkit.errors import EvalkitError
from evalkit.runs.store import RunStore, results_json, write_bytes
from evalkit.version import __version__
from evalkit.watermark.detection.heat import write_heat_maps
from evalkit.watermark.detection.phash import groups
from evalkit.watermark.detection.results import results_of
from evalkit.watermark.detection.rows import LN10, CsvFile, judged_rows
from evalkit.watermark.detection.verdict import ERROR, VERDICTS, Judged, Rule, hypotheses_of, judge

if TYPE_CHECKING:
    from evalkit.watermark.detection.job import DetectJob

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
NEEDED = ("id", "sha256", "phash", "log10_p", "log10_p_smallest", "p_calibrated", "n_calibration")


@dataclass(frozen=True)
class Columns:
    """What the folder decides about: of all images [n], nan and 0 for those that could not be read.

    `good` places of images with codes; `log_p`, `log_floor` what decides, natural logs, of the good ones.
    """

    ids: list[str]
    good: Ints
    log_p: Floats
    log_floor: Floats
    group: Ints
    content: Ints


def fold(store: RunStore, keys: Sequence[str], job: DetectJob) -> dict[str, Any]:
    """Write the sealed files of a detection; the counts that its record keeps."""
    columns = read_columns(store, keys, job.request.rule)
    judged = judge(columns.log_p, columns.log_floor, columns.group, columns.content, job.request.rule)
    _write_rows(store, keys, job, columns, judged)
    counts = counts_of(columns, judged)
    results = results_of(columns, judged, counts, job.request.rule, job.request.mark.method, job.images.name)
    write_bytes(store.path / "results.json", results_json(results))
    write_heat_maps(store.path, job)
    return counts


def read_columns(store: RunStore, keys: Sequence[str], rule: Rule) -> Columns:
    """The columns of all shards; raises `EvalkitError` where there is none."""
    parts = [store.rows(key).select(NEEDED) for key in keys]
    if not parts:
        raise EvalkitError("there is nothing to look at: the image set is empty")
    return columns_of(pa.concat_tables(parts), rule)


def columns_of(table: pa.Table, rule: Rule) -> Columns:
    """The columns of rows, of which `phash` is a number."""
    table = table.combine_chunks()
    log10 = table["log10_p"].to_numpy()
    good = np.flatnonzero(~np.isnan(log10))
    exact, floor = log10[good] * LN10, table["log10_p_smallest"].to_numpy()[good] * LN10
    log_p, log_floor = exact, floor
    if rule.decide != "exact":
        calibrated = np.log(table["p_calibrated"].to_numpy()[good])
        least = -np.log(table["n_calibration"].to_numpy()[good].astype(np.float64) + 1)
        larger = rule.decide == "larger"
        log_p = np.maximum(exact, calibrated) if larger else calibrated
        log_floor = np.maximum(floor, least) if larger else least
    hashes = np.asarray(pc.fill_null(table["phash"], 0).to_numpy(), np.int64)[good]
    content = _numbers(table["sha256"], good)
    near = hypotheses_of(hashes, groups(hashes), content)
    return Columns(table["id"].to_pylist(), good, log_p, log_floor, near, content)


def counts_of(columns: Columns, judged: Judged) -> dict[str, Any]:
    """Images by verdict, how many hypotheses, and how many images are copies of another's bytes."""
    counts: dict[str, Any] = {name: int((judged.verdict == name).sum()) for name in VERDICTS}
    counts[ERROR] = len(columns.ids) - len(columns.good)
    counts["hypotheses"] = judged.hypotheses
    counts["duplicates"] = len(columns.good) - len(np.unique(columns.content))
    counts["log10_cut"] = round(judged.cut / LN10, 6)
    return counts


def _write_rows(store: RunStore, keys: Sequence[str], job: DetectJob, columns: Columns, judged: Judged) -> None:
    n = len(columns.ids)
    q, verdict, group = np.full(n, np.nan), np.full(n, ERROR, dtype="U12"), np.full(n, -1)
    q[columns.good], verdict[columns.good] = judged.q, judged.verdict
    group[columns.good] = columns.good[columns.group]
    made_with = {
        "tokenizer": job.request.mark.tokenizer,
        "preparation": job.reader.preparation,
        "evalkit": __version__,
    }
    final = store.path / "samples.parquet"
    temporary = final.with_name(".writing-samples.parquet")
    text = CsvFile(store.path / "samples.csv")
    writer: pq.ParquetWriter | None = None
    start = 0
    for key in keys:
        table = store.rows(key)
        here = slice(start, start + len(table))
        start += len(table)
        names = [None if g < 0 else columns.ids[g] for g in group[here]]
        more = {
            "group": pa.array(names, pa.string()),
            "q": pa.array(q[here], pa.float64(), from_pandas=True),
            "verdict": pa.array(verdict[here], pa.string()),
        }
        rows = judged_rows(table, more, made_with)
        writer = writer or pq.ParquetWriter(temporary, rows.schema)
        writer.write_table(rows)
        text.write(rows)
    if writer is not None:
        writer.close()
        temporary.replace(final)
        text.close()


def _numbers(column: pa.ChunkedArray, places: Ints) -> Ints:
    """Equal texts of the column at `places` as equal whole numbers."""
    taken = column.combine_chunks().take(pa.array(places))
    return np.asarray(taken.dictionary_encode().indices.to_numpy(), np.int64)
