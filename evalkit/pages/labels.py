"""Metric names as a reader of the page wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.metrics.registry import METRICS
from evalkit.text import as_float


def metric_label(metric: str) -> str:
    """The usual name of a metric, or the name in the results where it has no other."""
    found = METRICS.find(metric)
    return found.label if found else metric


def metric_title(metric: str) -> str:
    """What a metric is, in words; empty for one that evalkit does not know."""
    found = METRICS.find(metric)
    return found.title if found else ""


def ordered_scores(scores: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Finite scores with their usual names, in the usual order.

    >>> ordered_scores({"ssim": 0.9, "psnr": 30, "cer_truth": None})
    [('PSNR', 30.0), ('SSIM', 0.9)]
    """
    order = list(METRICS)
    names = sorted(scores, key=lambda name: (order.index(name) if name in order else len(order), name))
    found = [(metric_label(name), as_float(scores[name])) for name in names]
    return [(label, value) for label, value in found if value is not None and abs(value) < float("inf")]
