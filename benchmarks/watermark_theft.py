"""How many marked images a thief needs to recover green lists, by histogram and by co-occurrence, for pools of lists.

Simulated codes: Zipf(0.5) over 1,024 codes, 256 codes per image, soft bias 2, every code in exactly half of the lists.
Run: python benchmarks/watermark_theft.py  (writes benchmarks/tables/watermark-theft.csv)
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evalkit.watermark.attacks.theft import list_auc, lists_auc, occurring, theft_cooccurrence, theft_histogram

CODES, TOKENS, DELTA = 1024, 256, 2.0
POOLS, IMAGES, SEEDS = (1, 4, 16, 64), (50, 200, 800), (0, 1, 2)
OUT = Path(__file__).parent / "tables" / "watermark-theft.csv"


def pool(lists: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Lists [m, V], every code in half of them; one list has half of the codes."""
    if lists == 1:
        return (rng.permutation(CODES) < CODES // 2)[None]
    return (rng.random((CODES, lists)).argsort(1) < lists // 2).T


def drawn(
    greens: npt.NDArray[np.bool_], law: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Codes [M, N] of images biased to the rows of `greens` [M, V]."""
    weights = law * np.exp(DELTA * greens)
    ends = np.cumsum(weights / weights.sum(1, keepdims=True), axis=1)
    drawn_rows = [np.searchsorted(row, rng.random(TOKENS)) for row in ends]
    return np.minimum(np.array(drawn_rows), CODES - 1)


def one(lists: int, images: int, seed: int) -> dict[str, float]:
    """AUCs of both thefts, and of co-occurrence on clean images (what a match among noise finds)."""
    rng = np.random.default_rng([lists, images, seed])
    law = 1 / np.arange(1, CODES + 1) ** 0.5
    greens = pool(lists, rng)
    clean = drawn(np.zeros((images, CODES), bool), law, rng)
    marked = drawn(greens[np.arange(images) % lists], law, rng)
    alive = occurring(marked, CODES)
    found = {
        "histogram_best_list": np.max([list_auc(theft_histogram(marked, clean, CODES), g, among=alive) for g in greens])
    }
    if 1 < lists < images:
        found["cooccurrence"] = lists_auc(theft_cooccurrence(marked, CODES, lists), greens, among=alive).mean()
        found["cooccurrence_on_clean"] = lists_auc(theft_cooccurrence(clean, CODES, lists), greens, among=alive).mean()
    return {name: float(value) for name, value in found.items()}


def main() -> None:
    """Write the table: mean over seeds."""
    names = ("histogram_best_list", "cooccurrence", "cooccurrence_on_clean")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with OUT.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["lists", "pictures", *names])
        for lists in POOLS:
            for images in IMAGES:
                runs = [one(lists, images, seed) for seed in SEEDS]
                means = [f"{np.mean([r[n] for r in runs]):.3f}" if n in runs[0] else "" for n in names]
                writer.writerow([lists, images, *means])


if __name__ == "__main__":
    main()
