"""Rows of a detection: one per image, whole columns at a time, and CSV that no spreadsheet takes for formulas."""

from __future__ import annotations

import binascii
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from evalkit.text import csv_cell
from evalkit.watermark.detection.messages import Told
from evalkit.watermark.detection.reader import Read
from evalkit.watermark.detection.search import prices
from evalkit.watermark.detection.tally import Tally
from evalkit.watermark.detection.views import View
from evalkit.watermark.mark import Mark, marks_of

LN10 = float(np.log(10.0))
SMALLEST = float(np.finfo(np.float64).tiny)  # p never underflows to 0; log10_p is true at any depth

FIRST = (
    "id", "verdict", "why", "log10_p_decides", "p", "log10_p", "log10_p_decoys", "p_calibrated", "q", "error", "warning"
)  # fmt: skip
MADE_WITH = {"tokenizer": "", "preparation": "", "evalkit": ""}
SHARD = pa.schema(
    [
        ("id", pa.string()),
        ("sha256", pa.string()),
        ("phash", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        ("mode", pa.string()),
        ("orientation", pa.int8()),
        ("codes", pa.int32()),
        ("distinct", pa.int32()),
        ("design_effect", pa.float64()),
        ("n_eff", pa.float64()),
        ("method", pa.string()),
        ("key_id", pa.string()),
        ("epoch", pa.string()),
        ("gamma", pa.float64()),
        ("list_id", pa.int32()),
        ("green", pa.int32()),
        ("evidence", pa.int32()),  # what decoy keys are compared by, where it is not `green`
        ("z_uncalibrated", pa.float64()),
        ("log10_p_list", pa.float64()),
        ("n_tests", pa.int64()),
        ("log10_p", pa.float64()),
        ("log10_p_smallest", pa.float64()),
        ("p", pa.float64()),
        ("p_calibrated", pa.float64()),
        ("stratum", pa.int8()),
        ("n_calibration", pa.int32()),
        ("transform", pa.string()),
        ("regions", pa.string()),
        ("region_share", pa.float64()),
        ("gaps", pa.string()),
        ("gap_share", pa.float64()),
        ("c2pa", pa.string()),
        ("message", pa.string()),
        ("message_probability", pa.float64()),
        ("log10_p_message", pa.float64()),  # --among: corrected for candidates, marks and views
        ("warning", pa.string()),
        ("error", pa.string()),
    ]
)


def shard_rows(
    read: Sequence[Read],
    best: Tally,
    mark: Mark,
    views: Sequence[View],
    calibrated: tuple[npt.NDArray[Any], ...] | None,
    warnings: Sequence[str | None],
    c2pa: Sequence[str | None],
    more: Mapping[str, Any] | None = None,
    told: Told | None = None,
) -> pa.Table:
    """The rows of images; `best` has a row for each image that has codes, in their order.

    `views`: those that are tried, in the order of their numbers, which begin at 1. `calibrated`: p, stratum and null
    images. `more`: columns of regions and decoys. `told`: messages.
    """
    good = np.array([each.kept is not None for each in read], dtype=bool)
    kept = [each.kept for each in read]
    tests = np.rint(mark.lists * prices(views)[best.view]).astype(np.int64)
    log10_p, floor = (np.minimum(each / LN10, 0.0) for each in (best.log_pool, best.log_floor))
    members = marks_of(mark)
    starts = np.cumsum([0, *(each.lists for each in members)])
    which = np.searchsorted(starts, best.list_id, side="right") - 1
    facts = [each.as_dict() for each in members]
    columns: dict[str, Any] = {
        "id": [each.id for each in read],
        "sha256": [each.sha256 for each in read],
        **{name: [None if k is None else getattr(k, name) for k in kept] for name in OF_FILE},
        "warning": warnings,
        "error": [each.reason for each in read],
        "c2pa": c2pa,
        **({} if told is None else asdict(told)),
    }
    scored: dict[str, Any] = {
        "codes": best.codes,
        "distinct": best.distinct,
        "design_effect": best.design_effect,
        "n_eff": best.codes / np.maximum(best.design_effect, 1e-300),
        "method": np.array([each.method for each in members], dtype=object)[which],
        "key_id": np.array([each.key.id for each in members], dtype=object)[which],
        "epoch": np.array([str(each.get("epoch", "")) for each in facts], dtype=object)[which],
        "gamma": np.array([float(each.get("gamma") or np.nan) for each in facts])[which],
        "list_id": best.list_id - starts[which],
        "green": best.green,
        "z_uncalibrated": best.z_uncalibrated,
        "log10_p_list": best.log_p_list / LN10,
        "n_tests": tests,  # what p is multiplied by
        "log10_p": log10_p,
        "log10_p_smallest": floor,
        "p": np.maximum(10.0**log10_p, SMALLEST),
        "transform": np.array(["", *(view.name for view in views)], dtype=object)[best.view],
    }
    scored |= more or {}
    if calibrated is not None:
        scored |= dict(zip(("p_calibrated", "stratum", "n_calibration"), calibrated, strict=True))
    arrays = []
    for each in SHARD:
        if each.name in columns:
            arrays.append(pa.array(columns[each.name], each.type))
        elif each.name in scored:
            arrays.append(spread(scored[each.name], good, each.type))
        else:
            arrays.append(pa.nulls(len(read), each.type))
    return pa.Table.from_arrays(arrays, schema=SHARD)


def final_schema() -> pa.Schema:
    """Columns of samples.parquet."""
    texts = dict.fromkeys(("group", "verdict", "why"), pa.array([], pa.string()))
    numbers = dict.fromkeys(("log10_p_decides", "q", "log10_p_decoys", "lean"), pa.array([], pa.float64()))
    counts = {"decoys_above": pa.array([], pa.int32())}
    return judged_rows(SHARD.empty_table(), {**texts, **numbers, **counts}, MADE_WITH).schema


def with_numbers(samples: pa.Table) -> pa.Table:
    """Rows of samples.parquet with hashes as numbers, as shards hold them."""
    numbers = [None if text is None else int(text, 16) for text in samples["phash"].to_pylist()]
    signed = [None if n is None else n - (1 << 64) if n >> 63 else n for n in numbers]
    return samples.set_column(samples.column_names.index("phash"), "phash", pa.array(signed, pa.int64()))


def judged_rows(table: pa.Table, judged: Mapping[str, pa.Array], made_with: Mapping[str, str]) -> pa.Table:
    """Rows with group, deciding p, q, verdict and why it is open, as samples.parquet holds them."""
    columns = {name: table[name] for name in table.column_names}
    columns["phash"] = hex_of(table["phash"])
    columns |= dict(judged)
    columns |= {name: pa.repeat(pa.scalar(text, pa.string()), len(table)) for name, text in made_with.items()}
    order = list(dict.fromkeys((*FIRST, *columns)))
    return pa.table({name: columns[name] for name in order})


def csv_pieces(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """The tables as CSV (UTF-8, comma, quoted where needed), a piece each; made while it is written.

    Texts that a spreadsheet would run as formulas get an apostrophe before them.
    """
    header = True
    for table in tables:
        safe = {
            name: _harmless(table[name]) if pa.types.is_string(table[name].type) else table[name]
            for name in table.column_names
        }
        buffer = io.BytesIO()
        options = csv.WriteOptions(quoting_style="needed", include_header=header)
        csv.write_csv(pa.table(safe), buffer, write_options=options)
        header = False
        yield buffer.getvalue()


OF_FILE = ("phash", "width", "height", "format", "mode", "orientation")


def hex_of(column: pa.ChunkedArray) -> pa.Array:
    """64-bit hashes as 16 hex digits."""
    absent = column.is_null().to_numpy()
    values = np.asarray(pc.fill_null(column, 0).to_numpy(), ">i8")
    digits = np.frombuffer(binascii.hexlify(values.tobytes()), "S16")
    return pa.array(digits, pa.binary(16), mask=absent).cast(pa.binary()).cast(pa.string())


def _harmless(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column with `csv_cell` of the few texts that may need it."""
    odd = pc.match_substring_regex(column, r"\A[=+\-@]|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]")
    if not pc.any(odd).as_py():
        return column
    texts = column.to_pylist()
    for at in np.flatnonzero(pc.fill_null(odd, False).to_numpy()):
        texts[at] = csv_cell(texts[at])
    return pa.chunked_array([pa.array(texts, column.type)])


def spread(values: Any, good: npt.NDArray[np.bool_], kind: pa.DataType) -> pa.Array:
    """The values in the places of good images, null elsewhere."""
    array = pa.array(values, kind, from_pandas=True)
    if good.all():
        return array
    places = np.cumsum(good) - 1
    return array.take(pa.array(places, pa.int64(), mask=~good))
