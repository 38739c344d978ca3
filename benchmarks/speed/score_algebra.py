"""Seconds and memory of the algebra behind FID and precision to coverage, from features on disk, beside torch-fidelity's.

python benchmarks/speed/score_algebra.py [--images 50000] [--peer 5000] [--dim 2048] [--only STEP]

Features are made up: non-negative, with variances that fall like those of Inception's. Every step runs in a process of
its own, so that its peak memory is its own; `wall` suffers from other work on the machine, `cpu` does not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from common import peak_mb, read, write

from evalkit.metrics.frechet import frechet_distance
from evalkit.metrics.frechet_interval import frechet_estimate
from evalkit.metrics.prdc import prdc
from evalkit.metrics.rows import moments_of
from evalkit.metrics.sets import FeatureBank

BLOCK = 1000


def bank(images: int, dim: int, seed: int, shift: float) -> FeatureBank:
    """Made-up features of a set, in a file."""
    rng = np.random.default_rng(seed)
    spread = (np.arange(1, dim + 1) ** -0.5).astype(np.float32)
    found = FeatureBank()
    for start in range(0, images, BLOCK):
        x = rng.standard_normal((min(BLOCK, images - start), dim), dtype=np.float32)
        found.add(np.abs(x * spread + np.float32(shift) * spread))
    return found


def ours_frechet(x: FeatureBank, y: FeatureBank) -> float:
    """Both moments and the distance."""
    return frechet_distance(moments_of(x), moments_of(y))


def ours_interval(x: FeatureBank, y: FeatureBank) -> float:
    """The same with the interval over both sets."""
    return frechet_estimate(x, moments_of(y), y).value


def ours_prdc(x: FeatureBank, y: FeatureBank) -> float:
    """Precision, recall, density and coverage."""
    return prdc(x, y)["precision"].value


def peer_frechet(x: FeatureBank, y: FeatureBank) -> float:
    """torch-fidelity's statistics and distance."""
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    one, two = (fid_features_to_statistics(torch.from_numpy(each[:])) for each in (x, y))
    return float(next(iter(fid_statistics_to_metric(one, two, verbose=False).values())))


def peer_prdc(x: FeatureBank, y: FeatureBank) -> float:
    """torch-fidelity's precision and recall."""
    from torch_fidelity.metric_prc import prc_features_to_metric

    return float(prc_features_to_metric(*(torch.from_numpy(e[:]) for e in (x, y)), verbose=False)["precision"])


STEPS: dict[str, Callable[[FeatureBank, FeatureBank], float]] = {
    "evalkit Fréchet": ours_frechet,
    "evalkit Fréchet with interval": ours_interval,
    "evalkit precision, recall, density, coverage": ours_prdc,
    "torch-fidelity Fréchet": peer_frechet,
    "torch-fidelity precision, recall": peer_prdc,
}


def step(name: str, images: int, dim: int) -> None:
    """Run one step and print what it took."""
    torch.set_num_threads(2)
    x, y = bank(images, dim, 1, 0.05), bank(images, dim, 2, 0.0)
    wall, cpu = time.perf_counter(), time.process_time()
    value = STEPS[name](x, y)
    took = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    peak = peak_mb()
    print(json.dumps({"value": value, **took, "peak_mb": peak, "load": os.getloadavg()[0]}))


def main() -> None:
    """Measure and write results/score-algebra.csv row by row; rows that are not measured again stay as they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--peer", type=int, default=5_000)
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--only", choices=STEPS, action="append", help="some of the steps")
    parser.add_argument("--step")
    options = parser.parse_args()
    if options.step:
        return step(options.step, options.images, options.dim)
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}
    for n, name in [(n, name) for n in sorted({options.peer, options.images}) for name in options.only or STEPS]:
        if name.startswith("torch-fidelity") and n != options.peer:
            continue  # its distance matrices of more images take too much memory
        command = [sys.executable, __file__, "--step", name, "--images", str(n), "--dim", str(options.dim)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        told = {k: round(v, 6 if k == "value" else 1) for k, v in json.loads(done.stdout.splitlines()[-1]).items()}
        row = {"candidate": name, "images": n, "dim": options.dim, **told}
        rows = {(int(each["images"]), each["candidate"]): each for each in [*read("score-algebra"), row]}
        write("score-algebra", [rows[key] for key in sorted(rows)])
    return None


if __name__ == "__main__":
    main()
