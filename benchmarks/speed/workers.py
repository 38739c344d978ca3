"""One CPU-bound job by one process, by two processes, and by two actors of a local Ray, each process with one thread.

The job makes images of the model that is shipped. Every turn is a whole command, start included; the bytes of the rows
must agree. Run it on a machine that does nothing else.

python benchmarks/speed/workers.py [--images 4000] [--repeats 3] [--workers 2] [--without ray]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import machine, summary, write

INLINE = "one process"
CAPTIONS = 500  # of the suite, and so images of one sample each


def commands(workers: int) -> dict[str, tuple[str, ...]]:
    """Flags of each candidate."""
    many = ("--workers", str(workers))
    return {
        INLINE: (),
        f"{workers} processes": ("--engine", "local", *many),
        f"{workers} Ray actors": ("--engine", "ray", *many),
    }


def once(flags: tuple[str, ...], images: int, out: Path) -> tuple[float, str]:
    """Wall seconds of one command, and the sha256 of the rows that it left."""
    command = [
        sys.executable,
        "-m",
        "evalkit",
        "generate",
        "--model",
        "world-ar",
        "--prompts",
        "world",
        "--device",
        "cpu",
    ]
    limits = ["--samples", str(-(-images // CAPTIONS)), "--limit", str(images), "--out", str(out)]
    began = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, *limits, *flags], check=True, capture_output=True, env=environment)
    return time.perf_counter() - began, hashlib.sha256((out / "samples.parquet").read_bytes()).hexdigest()


def main() -> None:
    """Measure in turn, and write results/workers.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--without", choices=("ray",), help="leave out a candidate")
    given = parser.parse_args()
    chosen = {name: flags for name, flags in commands(given.workers).items() if given.without not in flags}
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    rows_seen: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(given.repeats):
            for name, flags in chosen.items():
                took, digest = once(flags, given.images, Path(folder) / f"{turn}-{name.replace(' ', '-')}")
                seconds[name].append(took)
                rows_seen.add(digest)
                print(f"{name}: {took:.1f} s on {machine()}", flush=True)
    if len(rows_seen) > 1:
        raise SystemExit("the engines left different rows")
    rows = [{"work": f"{given.images} images of world-ar", **row} for row in summary(seconds, INLINE)]
    for row in rows:
        row["speed_up"] = round(1 / row.pop("times_ours"), 2)
    write("workers", rows)


if __name__ == "__main__":
    main()
