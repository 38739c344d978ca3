"""From p-values of marked and unmarked images to rates with exact intervals, AUC and mean quality."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from evalkit.metrics.psnr import PSNR
from evalkit.metrics.ssim import SSIM
from evalkit.metrics.watermark import AUC
from evalkit.stats.intervals import clopper_pearson
from evalkit.watermark.robustness.contenders import Contender

Floats = npt.NDArray[np.float64]
LPIPS = "lpips"
QUALITY = (PSNR.name, SSIM.name, LPIPS)
LEVELS = (1e-2, 1e-3, 1e-6)


def summarised(
    attack: str, scores: Mapping[str, Any], contenders: Sequence[Contender], levels: Sequence[float] = LEVELS
) -> list[dict[str, Any]]:
    """A row a contender for one attack; see `rates`."""
    rows = []
    for each in contenders:
        marked, plain = scores[each.name]["marked"], scores[each.name]["unmarked"]
        found = rates(_column(marked, "log_p"), _column(plain, "log_p"), levels)
        quality = {metric: _mean(marked, metric) for metric in QUALITY}
        rows.append({"contender": each.name, "attack": attack, **found, **quality})
    return rows


def rates(marked: Floats, plain: Floats, levels: Sequence[float] = LEVELS) -> dict[str, Any]:
    """For each level the share of marked (tpr) and unmarked (fpr) images with p at most the level, Clopper-Pearson, 95 %.

    `marked`, `plain`: natural logs of p. The level is the exact p's own promise; fpr says what became of it here. `auc`:
    chance that a marked image has the smaller p, ties half; nan without either.
    """
    row: dict[str, Any] = {"marked": len(marked), "unmarked": len(plain), AUC.name: auc(marked, plain)}
    for level in levels:
        for name, values in (("tpr", marked), ("fpr", plain)):
            hits = int((values <= math.log(level)).sum())
            low, high = clopper_pearson(hits, len(values)) if len(values) else (0.0, 1.0)
            share = hits / len(values) if len(values) else math.nan
            row |= {f"{name}_{level:g}": share, f"{name}_{level:g}_low": low, f"{name}_{level:g}_high": high}
    return row


def auc(marked: Floats, plain: Floats) -> float:
    """Area under the curve of true over false positives.

    >>> auc(np.array([-9.0, -1.0]), np.array([-1.0, 0.0]))
    0.875
    """
    if not len(marked) or not len(plain):
        return math.nan
    ranks = rankdata(-np.concatenate([marked, plain]))
    return float((ranks[: len(marked)].sum() - len(marked) * (len(marked) + 1) / 2) / (len(marked) * len(plain)))


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as CSV; numbers with six digits, what is missing empty."""
    stream = io.StringIO()
    if rows:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _shown(value) for name, value in row.items()})
    return stream.getvalue()


def _shown(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> Floats:
    return np.array([row[name] for row in rows], dtype=np.float64)


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    values = [row[name] for row in rows if row.get(name) is not None]
    return float(np.mean(values)) if values else None
