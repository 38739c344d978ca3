"""How many images move where a batch of another size rounds differently, as after memory ran out: world-ar on a CPU.

Within one run all batches have the same size, so nothing moves. Writes results/rows.csv.

    OMP_NUM_THREADS=1 python benchmarks/world/rows.py [--every 10]
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).resolve().parents[1] / "speed"))

from common import machine

from evalkit.generators.base import Request
from evalkit.generators.registry import load_generator
from evalkit.world.prompts import world_prompts

ROWS = (16, 8, 4)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=10, help="of the 500 captions, each so many-th")
    given = parser.parse_args()
    torch.set_num_threads(1)
    asked = [Request(p.id, p.caption, seed=i) for i, p in enumerate(world_prompts()[:: given.every])]
    found = []
    for dtype in ("float32", "bfloat16"):
        model = load_generator("world-ar", device="cpu", dtype=dtype)
        codes = {}
        for rows in ROWS:
            model.rows = rows
            codes[rows] = model.sample_tokens(asked)
        for rows in ROWS[1:]:
            same = codes[rows] == codes[ROWS[0]]
            found.append(
                {
                    "machine": machine(),
                    "dtype": dtype,
                    "rows": rows,
                    "instead_of": ROWS[0],
                    "same_pictures": int(same.all(1).sum()),
                    "same_codes": round(float(same.double().mean()), 4),
                    "n": len(asked),
                }
            )
            print(found[-1])
    path = Path(__file__).parent / "results" / "rows.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(found[0]))
        writer.writeheader()
        writer.writerows(found)


if __name__ == "__main__":
    main()
