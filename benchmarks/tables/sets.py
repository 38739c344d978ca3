"""Fréchet distances of coverage.py: originals and their reconstructions in a feature space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from evalkit.metrics.base import Estimate
from evalkit.metrics.fid_infinity import fid_infinity
from evalkit.metrics.frechet import frechet_distance, paired_frechet
from evalkit.metrics.moments import Moments


def distances(replications: int) -> Iterator[dict[str, Any]]:
    """The distance of pairs, of what its estimator gives on average, and of the two laws; and the extrapolated one."""
    for n, d in ((200, 16), (1000, 16), (1000, 64)):
        rng = np.random.default_rng([4, n, d])
        estimates, infinite = [], []
        for seed in range(replications):
            x = rng.normal(size=(n, d)) * np.linspace(0.5, 2, d)
            y = 0.9 * x + rng.normal(0.1, 0.3, (n, d))
            estimates.append(paired_frechet(lambda x=x, y=y: [(x, y)]))
            if n >= 50 * d:
                infinite.append(fid_infinity(lambda x=x, y=y: [(x, y)], seed=seed))
        exact, average = _distance(d), float(np.mean([each.value for each in estimates]))
        yield _row(d, n, "jackknife, of its average at this n", estimates, average)
        yield _row(d, n, "jackknife, of the laws' distance (bias)", estimates, exact)
        if infinite:
            yield _row(d, n, "extrapolated, of the laws' distance", infinite, exact)


def _row(d: int, n: int, method: str, found: Sequence[Estimate], truth: float) -> dict[str, Any]:
    share = float(np.mean([float(each.low or 0) <= truth <= float(each.high or 0) for each in found]))
    return {
        "what": "Fréchet distance",
        "law": f"{d} dimensions",
        "n": n,
        "method": method,
        "replications": len(found),
        "coverage": round(share, 4),
        "error": round(float(np.sqrt(max(share * (1 - share), 1e-9) / len(found))), 4),
    }


def _distance(d: int) -> float:
    """The distance of the two laws."""
    spread = np.linspace(0.5, 2, d) ** 2
    a = Moments(10**9, np.zeros(d), np.diag(spread) * (10**9 - 1))
    b = Moments(10**9, np.full(d, 0.1), np.diag(0.81 * spread + 0.09) * (10**9 - 1))
    return frechet_distance(a, b)
