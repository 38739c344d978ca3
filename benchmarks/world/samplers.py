"""What a sampler of world-ar does to images: how many are right, where things stand, and how many differ for one caption.

`right`: share of images that show what their caption demands, with its interval over prompts. `place_bits`: entropy of the
cell of single objects over all seeds (training draws 36 cells evenly: 5.17). `distinct`: different images of one caption
under `SEEDS` seeds. Writes results/samplers.csv.

    OMP_NUM_THREADS=1 python benchmarks/world/samplers.py [--samples 2] [--captions 20]
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from evalkit.generators.base import Generator, Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.registry import load_generator
from evalkit.generators.sampling import Sampler
from evalkit.images.sample import Pixels
from evalkit.stats.intervals import mean_interval
from evalkit.world.detector import detect
from evalkit.world.judge import verdict
from evalkit.world.prompts import WorldPrompt, world_prompts
from evalkit.world.scene import SPRITE, STEP

SEEDS = 32
SAMPLERS = ((1.0, 1.0), (1.25, 1.0), (1.5, 1.0), (3.0, 0.95))  # guidance, top-p
RESULT = Path(__file__).parent / "results" / "samplers.csv"


def made(model: Generator, prompts: Sequence[WorldPrompt], each: int, seed: int, sampler: Sampler) -> list[Pixels]:
    """`each` images of every prompt, side by side, with seeds that no other image has."""
    asked = [
        Request(f"{p.id}-{k}", p.caption, seed=seed + i * each + k, sampler=sampler)
        for i, p in enumerate(prompts)
        for k in range(each)
    ]
    return [image.pixels for image in model.generate(asked)]  # type: ignore[union-attr]


def place_bits(images: Sequence[Pixels]) -> tuple[float, int]:
    """(entropy in bits, number) of the cells in which the surest things stand."""
    cells = Counter(_cell(seen.things[0].box) for seen in map(detect, images) if seen.things)
    shares = np.array(list(cells.values())) / cells.total()
    return float(-(shares * np.log2(shares)).sum()), len(cells)


def _cell(box: tuple[int, int, int, int]) -> tuple[int, int]:
    left, top = ((box[i] + box[i + 2] - SPRITE) / 2 / STEP for i in (0, 1))
    return round(left), round(top)


def row(model: Generator, guidance: float, top_p: float, samples: int, captions: int) -> dict[str, object]:
    """The numbers of one sampler."""
    sampler, suite = Sampler(Guidance("llamagen", guidance), top_p=top_p), world_prompts()
    images = made(model, suite, samples, 0, sampler)
    asked = [p for p in suite for _ in range(samples)]
    right = [verdict(p.demand, detect(image)).correct for p, image in zip(asked, images, strict=True)]
    share = mean_interval(right, clusters=[p.id for p in asked])
    single = [p for p in suite if p.demand.task == "single_object"][:captions]
    many = made(model, single, SEEDS, 1_000_000, sampler)
    bits, cells = place_bits(many)
    groups = [many[i : i + SEEDS] for i in range(0, len(many), SEEDS)]
    distinct = mean_interval([len({image.tobytes() for image in group}) for group in groups], method="mean")
    return {
        "guidance": guidance, "top_p": top_p, "right": share.value, "low": share.low, "high": share.high,
        "images": len(asked), "prompts": len(suite), "place_bits": bits, "cells": cells,
        "distinct": distinct.value, "distinct_low": distinct.low, "distinct_high": distinct.high,
        "captions": len(single), "seeds": SEEDS,
    }  # fmt: skip


def main() -> None:
    """Measure, print, write after every sampler."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2, help="images of each of the 500 captions")
    parser.add_argument("--captions", type=int, default=20, help="single objects that are drawn with many seeds")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = load_generator("world-ar", device="cpu", dtype="float32")
    rows = []
    for guidance, top_p in SAMPLERS:
        rows.append(row(model, guidance, top_p, given.samples, given.captions))
        print(rows[-1], flush=True)
        with RESULT.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            for each in rows:
                writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in each.items()})


if __name__ == "__main__":
    main()
