"""Peak memory of a run over 200 and 20,000 images, each in a fresh process.

tokenizer: images of 256 px through the codec tokenizer. score: images of 64 px against as many others, FID, IS, KID,
precision to coverage and Vendi score; a projection of colours to 2,048 features and 1,008 logits stands for the network,
which holds as much for any number of images. score-512: the same with 512 features, whose algebra takes a thirtieth.

python benchmarks/speed/memory.py [--images 200,20000] [--case tokenizer,score]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import COMMAND, read, write
from PIL import Image

from evalkit.encoders.set_encoder import SPECTRUM
from evalkit.encoders.spectrum import radial_spectrum

STOOD_IN = "import memory; memory.DIM = {}; from evalkit.tasks.score import task; task.SetEncoder = memory.Projection\n"
DIM = 2048  # pooled features of the network that the projection stands for
METRICS = "fid,is,kid,prdc,vendi"


def linked(folder: Path, count: int) -> None:
    """`count` JPEG files of 256 px that share a few dozen contents."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    base = []
    for number in range(40):
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        path = folder / f"{number:06d}.jpg"
        Image.fromarray(pixels).save(path, quality=80)
        base.append(path)
    for number in range(40, count):
        os.link(base[number % 40], folder / f"{number:06d}.jpg")


def distinct(folder: Path, count: int, seed: int) -> None:
    """`count` JPEG files of 64 px, each with a content of its own."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for number in range(count):
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        Image.fromarray(pixels).save(folder / f"{number:06d}.jpg", quality=80)


class Projection:
    """Stands for the networks: features of the means of an image's 8 x 8 squares, by fixed weights."""

    def __init__(self, heads: Any, protocol: Any, *, device: str = "auto", weights: Any = None) -> None:
        rng = np.random.default_rng(0)
        sizes = {head: 1008 if head == "logits_unbiased" else DIM for head in heads if head != SPECTRUM}
        self.weights = {head: rng.normal(size=(192, size)).astype(np.float32) for head, size in sizes.items()}

    def identities(self) -> dict[str, Any]:
        """Nothing is kept."""
        return {}

    def put_away(self) -> None:
        """Nothing is freed."""

    def __call__(self, images: Any) -> dict[str, Any]:
        """Features by head."""
        n = len(images)
        means = images.float().numpy().reshape(n, 3, 8, 8, 8, 8).mean((3, 5)).reshape(n, -1) / 255
        found = {head: np.maximum(means @ weights, 0) for head, weights in self.weights.items()}
        return {**found, SPECTRUM: radial_spectrum(images).float().numpy()}


def score_command(root: Path, count: int) -> list[str]:
    """The arguments of one scoring; the file of weights is only named and hashed."""
    for seed, side in enumerate(("made", "real")):
        distinct(root / f"{side}-{count}", count, seed)
    weights = root / "weights.pth"
    weights.write_bytes(b"none")
    sets = ["--images", str(root / f"made-{count}"), "--reference", str(root / f"real-{count}")]
    return ["score", *sets, "--metrics", METRICS, "--device", "cpu", "--weights", f"inception-v3-fid={weights}"]


def tokenizer_command(root: Path, count: int) -> list[str]:
    """The arguments of one evaluation."""
    linked(root / str(count), count)
    return ["tokenizer", "-m", "jpeg-lm", "--data", str(root / str(count)), "--tasks", "reconstruction,codes"]


CASES = {"tokenizer": tokenizer_command, "score": score_command, "score-512": score_command}


def peak(case: str, command: list[str], out: Path) -> tuple[float, float]:
    """Peak resident MB and wall seconds of one command."""
    code = (STOOD_IN.format(case.partition("-")[2] or DIM) if command[0] == "score" else "") + COMMAND
    started = time.perf_counter()
    places = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code, *command, "--out", str(out)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": places},
    )
    return int(done.stderr.split()[-1]) / 2**20, time.perf_counter() - started


def measured(case: str, counts: Iterable[int]) -> Iterator[dict[str, Any]]:
    """A row for each number of images."""
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            megabytes, seconds = peak(case, CASES[case](root, count), root / "out")
        rate = round(count / seconds, 1)
        yield {
            "case": case,
            "images": count,
            "peak_mb": round(megabytes),
            "seconds": round(seconds, 1),
            "per_second": rate,
        }


def main() -> None:
    """Measure and write results/memory.csv row by row; rows of other cases and numbers of images stay as they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default="200,20000")
    parser.add_argument("--case", default=",".join(CASES))
    given = parser.parse_args()
    counts = [int(each) for each in given.images.split(",")]
    for case in given.case.split(","):
        for row in measured(case, counts):
            rows = {(each["case"], int(each["images"])): each for each in [*read("memory"), row]}
            ordered = [dict(rows[key]) for key in sorted(rows)]
            for each in ordered:
                first = next(other for other in ordered if other["case"] == each["case"])
                each["above_smallest_mb"] = int(each["peak_mb"]) - int(first["peak_mb"])
            write("memory", ordered)


if __name__ == "__main__":
    main()
