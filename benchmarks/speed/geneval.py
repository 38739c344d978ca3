"""GenEval's evidence stage beside a loop of GenEval's shape, over the same PNG files and the same tiny network, in turn.

The loop does what GenEval's script does for each image: open the file, resize it, run the detector on it alone, and turn
every query's mask into a box and a full-size mask on the CPU. The network is a tiny Mask2Former with random weights, so
the figure shows what is spent besides it.

python benchmarks/speed/geneval.py [--images 8] [--repeats 5]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import in_turn, summary, write
from PIL import Image
from probes import SIDE, network

from evalkit.encoders.detectors.mask2former import Mask2FormerDetector
from evalkit.images import open_images
from evalkit.images.sample import Sample
from evalkit.tasks.probe.suite import SUITES, Encoders, ProbeImage

THRESHOLD = 0.3  # GenEval's, of a box that counts


def make(folder: Path, count: int) -> None:
    """PNG files of soft random images."""
    rng = np.random.default_rng(0)
    for number in range(count):
        small = Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
        small.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / f"{number:04d}.png")


def loop(tiny: Any, folder: Path) -> int:
    """One image at a time; how many boxes there were."""
    from transformers import Mask2FormerImageProcessor

    processor = Mask2FormerImageProcessor(size={"shortest_edge": 800, "longest_edge": 1333}, size_divisor=32)
    found = 0
    for file in sorted(folder.glob("*.png")):
        image = Image.open(file).convert("RGB")
        with torch.inference_mode():
            said = tiny(**processor(images=image, return_tensors="pt"))
        sizes = [image.size[::-1]]
        kept = processor.post_process_instance_segmentation(
            said, THRESHOLD, target_sizes=sizes, return_binary_maps=True
        )
        masks = kept[0]["segmentation"]
        for mask in masks if masks is not None and masks.ndim == 3 else ():
            rows, columns = np.nonzero(mask.numpy())
            found += bool(len(rows)) and columns.max() >= columns.min()
    return found


def evidence(detector: Mask2FormerDetector, folder: Path) -> int:
    """evalkit's stage over the same files; how many images it looked at."""
    suite = SUITES.get("geneval")()
    prompt = suite.prompts()[0].id
    read = [each for each in open_images(folder).read(0, 10**6, threads=2) if isinstance(each, Sample)]
    images = [ProbeImage(each.id, prompt, number, each.image) for number, each in enumerate(read)]
    return len(list(suite.evidence(images, Encoders(detector))))


def main() -> None:
    """Measure, and write results/geneval.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    tiny = network(full=False)
    detector = Mask2FormerDetector.of_network(tiny, None, torch.device("cpu"), id="tiny")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make(folder, given.images)
        work = {"evalkit": lambda: evidence(detector, folder), "GenEval-shaped loop": lambda: loop(tiny, folder)}
        rows = summary(in_turn(work, given.repeats), "evalkit", given.images)
    write("geneval", [{"work": f"evidence of a {SIDE} px image, tiny detector", **row} for row in rows])


if __name__ == "__main__":
    main()
