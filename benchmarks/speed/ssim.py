"""SSIM of one 256 px pair: evalkit, scikit-image (Gaussian form) and torchmetrics, in turn; and 1,000 pairs in one pass.

python benchmarks/speed/ssim.py [--quick]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from common import in_turn, summary, write
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from evalkit.metrics.ssim import reconstruction_scores, ssim


def images(n: int, seed: int = 0) -> np.ndarray:
    """n images with smooth shading and noise."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[0:256, 0:256] / 256
    waves = [np.sin(rng.uniform(2, 20) * xx + rng.uniform(2, 20) * yy + c) for _ in range(n) for c in range(3)]
    base = np.stack(waves).reshape(n, 3, 256, 256).transpose(0, 2, 3, 1)
    return np.clip((0.5 + 0.35 * base + rng.normal(0, 0.03, base.shape)) * 255, 0, 255).astype(np.uint8)


def main() -> None:
    """Measure and write results/ssim.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few repeats, no file")
    quick = parser.parse_args().quick
    torch.set_num_threads(2)
    x = images(1)[0]
    y = np.clip(x + np.random.default_rng(1).normal(0, 8, x.shape), 0, 255).astype(np.uint8)
    tx, ty = (torch.from_numpy(v).permute(2, 0, 1)[None].float() / 255 for v in (x, y))

    def by_skimage() -> float:
        return structural_similarity(
            x, y, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
        )

    def by_torchmetrics() -> float:
        return float(structural_similarity_index_measure(ty, tx, data_range=1.0))

    seconds = in_turn(
        {"evalkit": lambda: ssim(x, y), "scikit-image": by_skimage, "torchmetrics": by_torchmetrics},
        3 if quick else 40,
    )
    rows = [{"work": "one 256 px pair", **row} for row in summary(seconds, "evalkit")]
    difference = abs(ssim(x, y) - by_skimage())
    n = 50 if quick else 1000
    many = images(n)
    others = np.clip(many + np.random.default_rng(2).normal(0, 8, many.shape), 0, 255).astype(np.uint8)
    started = time.perf_counter()
    for a, b in zip(many, others, strict=True):
        reconstruction_scores(a, b)
    took = time.perf_counter() - started
    one = dict.fromkeys(rows[0])
    rows.append(
        {**one, "work": f"PSNR, SSIM and MS-SSIM of {n} pairs", "candidate": "evalkit", "median_ms": round(took * 1e3)}
    )
    print(f"difference from scikit-image: {difference:.1e}")
    if not quick:
        write("ssim", [{**row, "difference_from_skimage": f"{difference:.1e}"} for row in rows])
    else:
        print(rows)


if __name__ == "__main__":
    main()
