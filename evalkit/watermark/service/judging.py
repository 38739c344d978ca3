"""From tallies to words: one mark of a ring in many images, its share of the false-positive rate, and no number for clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from evalkit.watermark.decoys.ranks import ranked
from evalkit.watermark.detection.tally import Tally
from evalkit.watermark.detection.verdict import EXACT
from evalkit.watermark.service.answers import MARKED, NOT_FOUND, UNDECIDED, Basis, MarkAnswer, Rate, Verdict
from evalkit.watermark.service.bench import Held

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
LN10 = float(np.log(10.0))


def cut_of(rate: Rate) -> float:
    """The log p at and below which one of `rate.keys` marks is found: all have an equal share of alpha (Bonferroni)."""
    return float(np.log(rate.alpha / rate.keys) + EXACT)


def judged(
    found: Tally, held: Held, rate: Rate, decoys: Callable[[], Iterator[Ints]] | None = None
) -> list[MarkAnswer]:
    """What is said of a mark in each image of a tally, which counts each list of its pool and each view.

    `decoys`: scores [b, K + 1] of the same images under decoy keys and the real one, the last, where they decide.
    """
    log_p, floor = np.minimum(found.log_pool, 0.0), found.log_floor
    basis: Basis = "exact"
    more: dict[str, Floats] = {}
    if held.calibration is not None:
        p, _, n = held.calibration.p_values(-found.log_pool / LN10, found.design_effect)
        more["log10_p_calibrated"], basis = np.log(p) / LN10, "larger"
        log_p, floor = np.maximum(log_p, np.log(p)), np.maximum(floor, -np.log(n + 1.0))
    elif decoys is not None:
        log_p, basis = ranked(decoys, rate.alpha / rate.keys, floor).log_p(log_p, floor), "decoys"
        more["log10_p_decoys"] = log_p / LN10
    verdicts, entry = _verdicts(log_p, floor, cut_of(rate)), held.entry
    return [
        MarkAnswer(entry.id, entry.key_id, entry.mark.method, entry.tokenizer, verdict, basis, entry.search, details)
        for verdict, details in zip(verdicts, _details(found, held, more), strict=True)
    ]


def _verdicts(log_p: Floats, floor: Floats, cut: float) -> list[Verdict]:
    return [
        MARKED if found else UNDECIDED if hopeless else NOT_FOUND
        for found, hopeless in zip(log_p <= cut, floor > cut, strict=True)
    ]


def _details(found: Tally, held: Held, more: dict[str, Floats]) -> list[dict[str, Any]]:
    """Numbers for operators, before the share of alpha."""
    names = ["", *(view.name for view in held.views)]
    return [
        {
            "log10_p": round(min(float(found.log_pool[row]), 0.0) / LN10, 6),
            **{name: round(float(values[row]), 6) for name, values in more.items()},
            "green": int(found.green[row]),
            "distinct": int(found.distinct[row]),
            "codes": int(found.codes[row]),
            "list_id": int(found.list_id[row]),
            "view": names[int(found.view[row])],
        }
        for row in range(len(found))
    ]
