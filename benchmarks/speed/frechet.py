"""Fréchet distance from the moments of 2,048-dimensional features: evalkit, scipy's sqrtm, torch-fidelity's eigenvalues.

python benchmarks/speed/frechet.py [--dim 2048] [--repeats 3]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import scipy.linalg
import torch
from common import summary, write
from torch_fidelity.metric_fid import fid_statistics_to_metric

from evalkit.metrics.frechet import frechet_distance
from evalkit.metrics.moments import Moments, features_to_statistics


def by_sqrtm(a: Moments, b: Moments) -> float:
    """The textbook form with a matrix square root."""
    s1, s2 = a.covariance(), b.covariance()
    root = scipy.linalg.sqrtm(s1 @ s2)
    delta = a.mean - b.mean
    return float(delta @ delta + np.trace(s1) + np.trace(s2) - 2 * np.trace(root.real))


def by_torch_fidelity(a: Moments, b: Moments) -> float:
    """torch-fidelity's own function, on the same moments."""
    one, two = ({"mu": m.mean, "sigma": m.covariance()} for m in (a, b))
    found = fid_statistics_to_metric(one, two, verbose=False)
    return float(next(iter(found.values())))


def main() -> None:
    """Measure and write results/frechet.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(2)
    rng = np.random.default_rng(0)
    n, d = 2 * options.dim, options.dim
    mixing = rng.normal(size=(d, d)) / np.sqrt(d)
    a = features_to_statistics(np.abs(rng.normal(size=(n, d)) @ mixing))
    b = features_to_statistics(np.abs(rng.normal(size=(n, d)) @ mixing * 1.05 + 0.02))
    candidates = {"evalkit": frechet_distance, "torch-fidelity": by_torch_fidelity, "scipy sqrtm": by_sqrtm}
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    values = {}
    for _ in range(options.repeats):
        for name, call in candidates.items():
            if name == "scipy sqrtm" and seconds[name]:
                continue  # minutes at 2,048 dimensions: once is enough
            started = time.perf_counter()
            values[name] = call(a, b)
            seconds[name].append(time.perf_counter() - started)
    rows = [
        {"dim": d, **row, "relative_difference": f"{abs(values[row['candidate']] / values['evalkit'] - 1):.1e}"}
        for row in summary(seconds, "evalkit")
    ]
    write("frechet" if d == 2048 else f"frechet-{d}", rows)


if __name__ == "__main__":
    main()
