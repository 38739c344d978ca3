"""Null images to a calibration: near-copies count once, codes are counted once a file, suspicious ones are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
from scipy.stats import binom

from evalkit.jobs.spec import Spec
from evalkit.jobs.task import Aggregated
from evalkit.metrics.watermark import OF_NULLS
from evalkit.runs.shards import Parts
from evalkit.runs.store import Result
from evalkit.stats.multiplicity import benjamini_hochberg
from evalkit.watermark.detection.calibration import Calibration, strata_edges
from evalkit.watermark.detection.calibration_file import calibration_bytes
from evalkit.watermark.detection.columns import joined, method_of, near_copies
from evalkit.watermark.detection.data import data_said
from evalkit.watermark.detection.null_rows import GroupedTables
from evalkit.watermark.detection.rows import LN10
from evalkit.watermark.detection.verdict import DEEPEST

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
TASK = "watermark-calibrate"
FILE = "calibration.npz"
MARKED = 0.01  # false discovery rate at which a null image looks marked
NEEDED = ("id", "sha256", "phash", "statistic", "design_effect", "log10_p", "error")


def aggregate(spec: Spec, parts: Parts) -> Aggregated:
    """The calibration over the first of each group of near-copies; memory holds a few columns of all rows."""
    table = joined(parts.tables(), NEEDED)
    good = np.flatnonzero(pc.is_null(table["error"]).to_numpy())
    group, content = near_copies(table, good)
    first = np.flatnonzero(group == np.arange(len(group)))
    picked = good[first] if spec.parameters["mark"] is not None else good[:0]
    statistic, effect, log10_p = (table[name].to_numpy()[picked] for name in ("statistic", "design_effect", "log10_p"))
    log_p = log10_p * LN10
    worker: Mapping[str, Any] = next(iter(parts.facts()), {})
    suspicious = suspects(log_p)
    calibration = Calibration(
        statistic,
        effect,
        strata_edges(effect, spec.parameters["strata"]),
        _frequencies(parts, good, content, int(spec.parameters["vocabulary"])),
        worker["conditions"],
        suspicious,
    )
    counts = {
        "pictures": len(good),
        "null": len(first),
        "copies": len(good) - len(first),
        "failed": len(table) - len(good),
        "suspicious": suspicious,
    }
    places = np.full(len(table), -1)
    places[good] = good[group]
    rows = GroupedTables(parts, table["id"].to_pylist(), places)
    files = {FILE: calibration_bytes(calibration)} if len(good) else {}
    duplicates = len(good) - len(np.unique(content))
    data = data_said(spec, table, unreadable=counts["failed"], duplicates=duplicates)
    told = {"data": data, **facts(spec, worker, calibration, counts, contamination(log_p, suspicious))}
    return Aggregated(rows, results(spec, counts), files, told)


def _frequencies(parts: Parts, good: Ints, content: Ints, vocabulary: int) -> Ints:
    """How often each code occurs in different files, [V]; of a sealed run as it was counted."""
    _, fresh = np.unique(content, return_index=True)
    wanted, start = np.zeros(len(content), dtype=bool), 0
    wanted[fresh] = True
    found = np.zeros(vocabulary, dtype=np.int64)
    for arrays in parts.arrays():
        if "frequencies" in arrays:
            return np.asarray(arrays["frequencies"], np.int64)
        if "codes" in arrays:
            codes = arrays["codes"]
            mine = codes[wanted[start : start + len(codes)]]
            start += len(codes)
            found += np.bincount(mine.ravel(), minlength=vocabulary)
    return found


def suspects(log_p: Floats) -> int:
    """How many null images look marked."""
    if not len(log_p):
        return 0
    return int((benjamini_hochberg(np.exp(np.maximum(log_p, DEEPEST))) <= MARKED).sum())


def contamination(log_p: Floats, suspicious: int) -> tuple[str, ...]:
    """What speaks against null images: some that look marked, or a key that suits them."""
    said = []
    if suspicious:
        said.append(
            f"{suspicious} of {len(log_p)} null images look marked (q at most {MARKED}, smallest p "
            f"{np.exp(max(float(log_p.min()), DEEPEST)):.1e}); take marked images out, or calibrated p-values are too large"
        )
    small = int((log_p <= np.log(0.05)).sum())
    if len(log_p) and binom.sf(small - 1, len(log_p), 0.05) < 1e-3:
        said.append(
            f"{small} of {len(log_p)} null images have an exact p of at most 0.05, more than chance gives: this key "
            "suits such images. Decide by the calibrated p-values (--decide larger), or draw another key or epoch"
        )
    return tuple(said)


def results(spec: Spec, counts: Mapping[str, int]) -> list[Result]:
    """Counts, which nothing is ranked by."""
    mark, data = spec.parameters["mark"], spec.inputs["data"]
    protocol = "" if mark is None else f"watermark-{method_of(mark)}"

    return [
        Result(TASK, data.name, m.name, float(counts[word]), None, None, "count", data.n, m.unit, m.better, protocol)
        for word, m in OF_NULLS.items()
        if mark is not None or word != "suspicious"  # without a mark nothing is scored
    ]


def facts(
    spec: Spec,
    worker: Mapping[str, Any],
    calibration: Calibration,
    counts: Mapping[str, int],
    warnings: tuple[str, ...],
) -> dict[str, Any]:
    """What the record says of tokenizer and calibration; `worker`: facts of a shard."""
    return {
        "model": worker.get("model", {}),
        "calibration": {
            "file": FILE,
            "conditions": dict(calibration.conditions),
            "strata": spec.parameters["strata"],
            "edges": list(calibration.edges),
            "counts": dict(counts),
            "warnings": list(warnings),
            "remarks": list(spec.here.get("data", {}).get("remarks", [])),
        },
    }
