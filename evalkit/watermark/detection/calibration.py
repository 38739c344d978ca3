"""Calibrated p-values: how large the statistic is in images that are known not to be marked, with the same key.

The exact p speaks of a random key and holds for any image. One key meets many images, whose codes are not uniform:
its rate of false positives may lie above or below. Conformal p-values (1 + #{null >= s}) / (n + 1) hold for this key and
for images like the null ones (exchangeable with them); none is below 1 / (n + 1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.detection.search import prices
from evalkit.watermark.detection.verdict import Rule
from evalkit.watermark.detection.views import View
from evalkit.watermark.identity import preparation_id, tokenizer_identity

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Strata = Literal["flatness", "none"]
EDGES = (1.5, 3.0, 8.0)  # design effects: textured images repeat few codes, flat ones many
LEAST = 200  # null images of a stratum; smaller ones are joined with their neighbour
HINT = "make one with `evalkit watermark calibrate NULL_FOLDER --key K --tokenizer T --out cal.npz`"


@dataclass(frozen=True)
class Calibration:
    """Statistics of null images, and what they were made with.

    `statistic` [n]: -log10 of p times the number of tests, not clipped; `effect` [n]: design effect of each image's
    codes. `edges`: design effects that part the strata. `frequencies` [V]: how often each code occurs. `conditions`: mark,
    tokenizer, preparation and search; a detector must have the same. `mark` is None where only the histogram was wanted.
    """

    statistic: Floats
    effect: Floats
    edges: tuple[float, ...]
    frequencies: Ints
    conditions: Mapping[str, Any]
    suspicious: int = 0  # null images that look marked

    def strata(self, effect: Floats) -> Ints:
        """The stratum of images by the design effect of their codes, 0 for the most textured."""
        return np.searchsorted(np.asarray(self.edges), effect, side="right").astype(np.int64)

    def p_values(self, statistic: Floats, effect: Floats) -> tuple[Floats, Ints, Ints]:
        """(conformal p, stratum, null images in it) of images [m]."""
        mine, theirs = self.strata(effect), self.strata(self.effect)
        p, n = np.ones(len(mine)), np.zeros(len(mine), dtype=np.int64)
        for stratum in np.unique(mine):
            null = np.sort(self.statistic[theirs == stratum])
            here = mine == stratum
            above = len(null) - np.searchsorted(null, statistic[here] - 1e-9, side="left")  # ties count
            p[here], n[here] = (1 + above) / (len(null) + 1), len(null)
        return p, mine, n

    def doubts(self, rule: Rule, images: int) -> list[str]:
        """What a person must know of it before believing verdicts over `images`."""
        said, n = [], len(self.statistic)
        if self.suspicious:
            said.append(
                f"{self.suspicious} of the {n} null images of the calibration look marked themselves; "
                "calibrate again without them, or calibrated p-values are too large"
            )
        needed = rule.alpha if rule.fdr is None else rule.fdr / max(images, 1)
        if rule.decide != "exact" and 1 / (n + 1) > needed:
            said.append(
                f"{n} null images give calibrated p-values of {1 / (n + 1):.1e} at the least, and {needed:.1e} "
                f"is needed; {round(1 / needed):,} null images would be enough"
            )
        return said

    def check(self, conditions: Mapping[str, Any], path: str) -> None:
        """Raise `EvalkitError` unless a detector with these conditions may use this calibration."""
        if self.conditions.get("mark") is None:
            raise EvalkitError(f"{path} holds the histogram of codes only, made without a key; {HINT}")
        for name, words in CONDITIONS.items():
            then, now = (json.loads(canonical_json(each.get(name))) for each in (self.conditions, conditions))
            if then != now:
                raise EvalkitError(f"{path} was made with another {words} ({_difference(then, now)}); {HINT}")


CONDITIONS = {
    "tokenizer": "tokenizer",
    "preparation": "preparation of images",
    "mark": "mark or key",
    "search": "search (--search)",
    "prices": "correction for the search",
}


def strata_edges(effect: Floats, strata: Strata = "flatness", least: int = LEAST) -> tuple[float, ...]:
    """Edges between strata of at least `least` null images each, decided by the null images alone.

    >>> strata_edges(np.array([1.0] * 300 + [5.0] * 300))
    (1.5,)
    """
    edges: list[float] = []
    left = 0.0
    for edge in EDGES if strata == "flatness" else ():
        if np.sum((effect >= left) & (effect < edge)) >= least:
            edges.append(edge)
            left = edge
    while edges and np.sum(effect >= edges[-1]) < least:
        edges.pop()
    return tuple(edges)


def _difference(then: Any, now: Any) -> str:
    if isinstance(then, dict) and isinstance(now, dict):
        parts = [
            f"{k} {then.get(k)}, the detector has {now.get(k)}" for k in {**then, **now} if then.get(k) != now.get(k)
        ]
        return _short("; ".join(parts))
    return f"{_short(then)}; the detector has {_short(now)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 160 else text[:157] + "…"


def conditions_of(mark: Mapping[str, Any] | None, tokenizer: Tokenizer, views: Sequence[View]) -> dict[str, Any]:
    """What a calibration and the detector that uses it must have in common; `mark`: as `Mark.as_dict` says it."""
    return {
        "mark": mark,
        "tokenizer": tokenizer_identity(tokenizer),
        "preparation": preparation_id(tokenizer),
        "search": [view.name for view in views],
        **({"prices": np.unique(prices(views)).tolist()} if views else {}),
    }
