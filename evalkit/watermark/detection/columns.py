"""The few columns of all rows that verdicts over a folder need; whole rows are never in memory together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.errors import EvalkitError
from evalkit.watermark.decoys.ranks import Ranked
from evalkit.watermark.detection.phash import groups
from evalkit.watermark.detection.rows import LN10
from evalkit.watermark.detection.verdict import ERROR, INCONCLUSIVE, VERDICTS, Judged, Rule, hypotheses_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
NEEDED = ("id", "sha256", "phash", "log10_p", "log10_p_smallest", "p_calibrated", "n_calibration")
CODES, NULLS = "too few different codes", "too few null images in its calibration"  # why an image is inconclusive


@dataclass(frozen=True)
class Columns:
    """What the folder decides about.

    `ids` of all images [n]; `good` places of those with codes; `log_p`, `log_floor` what decides, natural logs, of the
    good ones; `own_floor` the smallest that their codes allow, without any null image; `log_decoys` by decoy keys, where
    there are some; `group`, `content`: equal numbers are near-duplicates, and equal files.
    """

    ids: list[str]
    good: Ints
    log_p: Floats
    log_floor: Floats
    own_floor: Floats
    group: Ints
    content: Ints
    log_decoys: Floats | None = None

    @property
    def first(self) -> Ints:
        """For each image [n] the place of the first of its group, -1 where it could not be read."""
        found = np.full(len(self.ids), -1)
        found[self.good] = self.good[self.group]
        return found


def joined(tables: Iterable[pa.Table], names: tuple[str, ...]) -> pa.Table:
    """These columns of all tables; raises `EvalkitError` where there is no table."""
    parts = [table.select(names) for table in tables]
    if not parts:
        raise EvalkitError("there is nothing to look at: the image set is empty. Give a set that holds images")
    return pa.concat_tables(parts).combine_chunks()


def columns_of(table: pa.Table, rule: Rule, decoys: Ranked | None = None) -> Columns:
    """The columns of rows, of which `phash` is a number; `decoys` where they were scored."""
    log10 = table["log10_p"].to_numpy()
    good = np.flatnonzero(~np.isnan(log10))
    exact, floor = log10[good] * LN10, table["log10_p_smallest"].to_numpy()[good] * LN10
    log_p, log_floor = exact, floor
    log_decoys = None if decoys is None else decoys.log_p(exact, floor)
    if rule.decide == "decoys" and log_decoys is not None:
        log_p = log_decoys
    elif rule.decide in ("calibrated", "larger"):
        calibrated = np.log(table["p_calibrated"].to_numpy()[good])
        least = -np.log(table["n_calibration"].to_numpy()[good].astype(np.float64) + 1)
        larger = rule.decide == "larger"
        log_p = np.maximum(exact, calibrated) if larger else calibrated
        log_floor = np.maximum(floor, least) if larger else least
    near, content = near_copies(table, good)
    return Columns(table["id"].to_pylist(), good, log_p, log_floor, floor, near, content, log_decoys)


def why_open(columns: Columns, judged: Judged) -> npt.NDArray[np.str_]:
    """Why each of the good images is inconclusive: `CODES` or `NULLS`; "" for the others."""
    cause = np.where(columns.own_floor > judged.cuts, CODES, NULLS)
    return np.where(judged.verdict == INCONCLUSIVE, cause, "")


def near_copies(table: pa.Table, good: Ints) -> tuple[Ints, Ints]:
    """(group, content) of the images at `good`: the place among them of the first near-duplicate; equal files as numbers."""
    hashes = np.asarray(pc.fill_null(table["phash"], 0).to_numpy(), np.int64)[good]
    taken = table["sha256"].combine_chunks().take(pa.array(good))
    content = np.asarray(taken.dictionary_encode().indices.to_numpy(), np.int64)
    return hypotheses_of(hashes, groups(hashes), content), content


def counts_of(columns: Columns, judged: Judged) -> dict[str, Any]:
    """Images by verdict, how many hypotheses, and how many images are copies of another's bytes."""
    counts: dict[str, Any] = {name: int((judged.verdict == name).sum()) for name in VERDICTS}
    counts[ERROR] = len(columns.ids) - len(columns.good)
    counts["inconclusive_nulls"] = int((why_open(columns, judged) == NULLS).sum())
    counts["hypotheses"] = judged.hypotheses
    counts["duplicates"] = len(columns.good) - len(np.unique(columns.content))
    counts["log10_cut"] = round(judged.cut / LN10, 6)
    return counts


def method_of(mark: Mapping[str, Any]) -> str:
    """The method of a mark, or of the first of several, as `Mark.as_dict` says it."""
    return str((mark.get("marks") or [mark])[0]["method"])
