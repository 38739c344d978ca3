"""GEdit-Bench's score (VIEScore in Step1X-Edit 570eba6, GEdit-Bench/viescore) and VAREdit's balance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class EditScore:
    """`consistency` (success, over-editing) and `quality` (naturalness, artefacts), each the lowest of its scores on
    0 to 10, and `overall`, the root of their product.
    """

    consistency: float
    quality: float

    @property
    def overall(self) -> float:
        """Geometric mean of both."""
        return math.sqrt(self.consistency * self.quality)


def edit_score(consistency: Sequence[float], quality: Sequence[float]) -> EditScore:
    """The score of one edit from the judge's scores.

    >>> round(edit_score([8, 9], [7, 6]).overall, 4)
    6.9282
    """
    return EditScore(min(consistency), min(quality))


def task_means(scores: Mapping[str, Sequence[EditScore]]) -> dict[str, EditMeans]:
    """The means of each task."""
    return {
        task: EditMeans(
            fmean(s.consistency for s in each), fmean(s.quality for s in each), fmean(s.overall for s in each)
        )
        for task, each in scores.items()
    }


@dataclass(frozen=True)
class EditMeans:
    """Means over edits of one task, or over tasks; `overall` is the mean of roots and not the root of means."""

    consistency: float
    quality: float
    overall: float


def over_tasks(means: Mapping[str, EditMeans]) -> EditMeans:
    """The unweighted means over tasks, which the benchmark reports."""
    each = means.values()
    return EditMeans(fmean(m.consistency for m in each), fmean(m.quality for m in each), fmean(m.overall for m in each))


def balance(success: float, over_edit: float) -> float:
    """Harmonic mean of both scores, 0 where both are; VAREdit reports its mean over edits.

    >>> round(balance(2, 7), 3)
    3.111
    """
    total = success + over_edit
    return 2 * success * over_edit / total if total else 0.0
