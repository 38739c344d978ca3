"""Peak memory of evaluating 200 and 20,000 images of 256 px with the codec tokenizer, each in a fresh process.

python benchmarks/speed/memory.py [--large 20000]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import write
from PIL import Image


def make(folder: Path, count: int) -> None:
    """`count` small JPEG files that share a few dozen contents."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    base = []
    for number in range(40):
        picture = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        path = folder / f"{number:06d}.jpg"
        Image.fromarray(picture).save(path, quality=80)
        base.append(path)
    for number in range(40, count):
        os.link(base[number % 40], folder / f"{number:06d}.jpg")


def peak(folder: Path, out: Path) -> tuple[float, float]:
    """Peak resident MB and wall seconds of one evaluation."""
    code = (
        "import resource; from evalkit.cli import main\n"
        "try: main()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, "tokenizer", "-m", "jpeg-lm", "--data", str(folder), "--out", str(out)]
    started = time.perf_counter()
    done = subprocess.run([*command, "--tasks", "reconstruction,codes"], check=True, capture_output=True, text=True)
    return int(done.stdout.strip().splitlines()[-1]) / 1024, time.perf_counter() - started


def main() -> None:
    """Measure and write results/memory.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", type=int, default=20_000)
    large = parser.parse_args().large
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for count in (200, large):
            make(root / str(count), count)
            megabytes, seconds = peak(root / str(count), root / f"out-{count}")
            rate = round(count / seconds, 1)
            rows.append(
                {"pictures": count, "peak_mb": round(megabytes), "seconds": round(seconds, 1), "per_second": rate}
            )
    rows[-1]["above_smallest_mb"] = rows[-1]["peak_mb"] - rows[0]["peak_mb"]
    rows[0]["above_smallest_mb"] = 0
    write("memory", rows)


if __name__ == "__main__":
    main()
