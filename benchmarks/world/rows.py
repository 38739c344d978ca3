"""What the number of rows changes for world-ar on a CPU: images that move, and the pace. Writes results/rows.csv.

Sixteen rows on one thread are what evalkit did until its rows followed from memory. Seconds of the clock are taken in
turn and the best of each is kept; seconds of the processor tell more where others use the machine too.

    python benchmarks/world/rows.py [--every 4] [--repeats 3] [--threads 2]
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).resolve().parents[1] / "speed"))

from common import machine
from torch import Tensor

from evalkit.generators.base import Generator, Request
from evalkit.generators.registry import load_generator
from evalkit.world.prompts import world_prompts

BEFORE = (16, 1)  # rows, threads


def timed(model: Generator, asked: Sequence[Request], rows: int, threads: int) -> tuple[Tensor, float, float]:
    """(codes, seconds of the clock, seconds of the processor)."""
    torch.set_num_threads(threads)
    model.rows = rows
    clock, spent = time.perf_counter(), time.process_time()
    codes = model.sample_tokens(asked)  # type: ignore[attr-defined]
    return codes, time.perf_counter() - clock, time.process_time() - spent


def measured(dtype: str, asked: Sequence[Request], repeats: int, threads: int) -> list[dict[str, object]]:
    """One row for each way to run the requests, in turn."""
    model = load_generator("world-ar", device="cpu", dtype=dtype)
    ways = [BEFORE, (1, 1), (64, 1), (64, threads)]
    tries = [[timed(model, asked, *way) for way in ways] for _ in range(repeats)]
    first = tries[0][0][0]
    found = []
    for at, (rows, count) in enumerate(ways):
        same = tries[0][at][0] == first
        clock, spent = (min(each[at][i] for each in tries) for i in (1, 2))
        found.append(
            {
                "machine": machine(),
                "dtype": dtype,
                "rows": rows,
                "threads": count,
                "same_images": int(same.all(1).sum()),
                "n": len(asked),
                "ms_an_image": round(1e3 * clock / len(asked), 2),
                "processor_ms_an_image": round(1e3 * spent / len(asked), 2),
                "times_the_pace": round(min(each[0][1] for each in tries) / clock, 2),
            }
        )
        print(found[-1], flush=True)
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=4, help="of the 500 captions, each so many-th")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    asked = [Request(p.id, p.caption, seed=i) for i, p in enumerate(world_prompts()[:: given.every])]
    found = [row for dtype in ("float32", "bfloat16") for row in measured(dtype, asked, given.repeats, given.threads)]
    path = Path(__file__).parent / "results" / "rows.csv"
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(found[0]))
        writer.writeheader()
        writer.writerows(found)


if __name__ == "__main__":
    main()
