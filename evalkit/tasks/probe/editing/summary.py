"""Reason-Edit's scores (SmartEdit, arXiv:2312.06739; part of GPT-ImgEval, arXiv:2504.02782): splits, metrics, intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evalkit.errors import EvalkitError
from evalkit.metrics.base import Estimate
from evalkit.stats.intervals import mean_interval, transform
from evalkit.tasks.probe.rows import ProbeScore

FOLDERS: Mapping[str, str] = {
    "1-Left-Right": "understanding",
    "2-Relative-Size": "understanding",
    "3-Mirror": "understanding",
    "4-Color": "understanding",
    "5-Multiple-Objects": "understanding",
    "6-Reasoning": "reasoning",
}
# highest possible value of each metric; PSNR has none
METRICS: Mapping[str, float | None] = {"psnr": None, "ssim": 1, "lpips": 1, "mse": 1, "clip": 100, "alignment": 1}


@dataclass(frozen=True)
class EditRow:
    """One edit: its folder, and the values that were measured of it by the names of `METRICS`.

    psnr, ssim, lpips, mse: of the background at 256 px. clip: 100 x cosine of the edited region's image and its text.
    alignment: a judge's word in [0, 1]; absent where it was lost.
    """

    id: str
    folder: str
    values: Mapping[str, float] = field(default_factory=dict)


def edit_summary(rows: Sequence[EditRow], name: str = "reason-edit") -> tuple[ProbeScore, ...]:
    """Every metric of both splits, all edits of a split pooled. The mean of clip is clamped at 0, as torchmetrics does.

    Raises `EvalkitError` for a folder or a metric that the benchmark does not have, and where there is nothing.
    """
    if not rows:
        raise EvalkitError("there is no edit to summarise. Give at least one")
    for row in rows:
        odd = [metric for metric in row.values if metric not in METRICS]
        if row.folder not in FOLDERS or odd:
            raise EvalkitError(
                f"{row.id} has the folder or metric {odd[0] if odd else row.folder!r}. Give Reason-Edit's"
            )
    found = []
    for split in dict.fromkeys(FOLDERS.values()):
        chosen = [row for row in rows if FOLDERS[row.folder] == split]
        for metric, high in METRICS.items():
            values = [row.values[metric] for row in chosen if metric in row.values]
            if values:
                found.append(ProbeScore(f"{name}/{split}/{metric}", split, _mean(values, metric), 0.0, high))
    return tuple(found)


def _mean(values: Sequence[float], metric: str) -> Estimate:
    estimate = mean_interval(values, method="mean", range=(None if metric == "clip" else 0.0, METRICS[metric]))
    return transform(estimate, lambda value: max(value, 0.0), "a clamp at 0") if metric == "clip" else estimate
