"""From codes to words: one mark of a ring in many images, its share of the false-positive rate, and no number for clients."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from evalkit.watermark.detection.tally import Tally, tally
from evalkit.watermark.detection.verdict import EXACT
from evalkit.watermark.service.answers import MARKED, NOT_FOUND, UNDECIDED, MarkAnswer, Rate, Verdict
from evalkit.watermark.service.bench import Held

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
LN10 = float(np.log(10.0))


def judged(codes: Ints, held: Held, rate: Rate) -> list[MarkAnswer]:
    """What is said of a mark in each row of codes [B, N] (or bits [B, N, bits]).

    Every one of `rate.keys` marks has an equal share of alpha (Bonferroni), and within it each list of its pool.
    """
    found = tally(codes, held.mark)
    log_p, floor = np.minimum(found.log_pool, 0.0), found.log_floor
    calibrated: Floats | None = None
    basis: Literal["exact", "larger"] = "exact"
    if held.calibration is not None:
        p, _, n = held.calibration.p_values(-found.log_pool / LN10, found.design_effect)
        calibrated, basis = np.log(p), "larger"
        log_p, floor = np.maximum(log_p, calibrated), np.maximum(floor, -np.log(n + 1.0))
    cut = np.log(rate.alpha / rate.keys) + EXACT
    entry = held.entry
    return [
        MarkAnswer(entry.id, entry.key_id, entry.mark.method, entry.tokenizer, verdict, basis, details)
        for verdict, details in zip(_verdicts(log_p, floor, cut), _details(found, calibrated), strict=True)
    ]


def _verdicts(log_p: Floats, floor: Floats, cut: float) -> list[Verdict]:
    return [
        MARKED if found else UNDECIDED if hopeless else NOT_FOUND
        for found, hopeless in zip(log_p <= cut, floor > cut, strict=True)
    ]


def _details(found: Tally, calibrated: Floats | None) -> list[dict[str, Any]]:
    """Numbers for operators, before the share of alpha."""
    return [
        {
            "log10_p": round(min(float(found.log_pool[row]), 0.0) / LN10, 6),
            "log10_p_calibrated": None if calibrated is None else round(float(calibrated[row]) / LN10, 6),
            "green": int(found.green[row]),
            "distinct": int(found.distinct[row]),
            "codes": int(found.codes[row]),
            "list_id": int(found.list_id[row]),
        }
        for row in range(len(found))
    ]
