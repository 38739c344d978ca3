"""Errors of distances that share a reference and the ids of their images, from the features that runs kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from evalkit.leaderboard.entrants import Entrant, Figure
from evalkit.leaderboard.rank import Shared
from evalkit.metrics.sets.composition import FRECHET
from evalkit.runs.store import read_run

MOST, BYTES = 12, 2**29  # systems of a board, and bytes of features, beyond which intervals have to do
PAIRING = "paired by image and by the reference, from kept features"


def set_errors(figures: Sequence[Figure], entrants: Sequence[Entrant]) -> Shared | None:
    """The shared errors of one board's distances; None where one run kept no features, or there are too many."""
    terms = figures[0].terms
    if terms.task != "score" or terms.metric not in FRECHET or not 1 < len(figures) <= MOST:
        return None
    paths = [entrants[each.entrant].path for each in figures]
    if any(entrants[each.entrant].record.get("statistics") != "features" for each in figures):
        return None
    if sum(_size(path) for path in paths) > BYTES:
        return None
    from evalkit.tasks.score.covariance import frechet_covariance, frechet_influence  # brings torch along

    found = [frechet_influence(read_run(path), terms.metric) for path in paths]
    known = [each for each in found if each is not None]
    return Shared(frechet_covariance(known), math.inf, PAIRING) if len(known) == len(found) else None


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path / "statistics").glob("*.npz"))
