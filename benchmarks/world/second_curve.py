"""How world-ar2 gets better while it is trained: share of images that show what their caption demands, by step.

    python benchmarks/world/second_curve.py runs/world2/ar.state.pt OLDER.pt …      # adds to results/world-2-curve.csv

A row of the same step is replaced; the others stay. States are those that second_ar.py keeps (copy them aside while it
trains); the running mean of each is measured as it would be shipped, on the first held-out captions with the default
sampler.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from evalkit.generators.base import Request
from evalkit.generators.registry import load_generator
from evalkit.stats.intervals import mean_interval
from evalkit.weights.find import find_weights
from evalkit.world.judge import verdict
from evalkit.world.second.detector import detect_all
from evalkit.world.second.int8 import narrowed
from evalkit.world.second.prompts import second_prompts

RESULTS = Path(__file__).parent / "results"


def measured(path: Path, prompts: int) -> dict[str, object]:
    """A row of one state."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    mean = {name.removeprefix("net."): value for name, value in state["mean"].items() if name.startswith("net.")}
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(find_weights("world_vq2.safetensors"), folder)
        save_file(narrowed(mean), Path(folder) / "world_ar2.safetensors")
        model = load_generator("world-ar2", Path(folder), "cpu")
        suite = second_prompts(prompts)
        asked = [Request(p.id, p.caption, seed=i) for i, p in enumerate(suite)]
        images = [image.pixels for image in model.generate(asked)]  # type: ignore[union-attr]
    right = [verdict(p.demand, seen).correct for p, seen in zip(suite, detect_all(images), strict=True)]
    found = mean_interval(right)
    return {
        "step": state["step"], "images": state["step"] * state["batch"], "of": state["steps"],
        "right": round(found.value, 4), "low": round(found.low or 0, 4), "high": round(found.high or 1, 4), "n": found.n,
    }  # fmt: skip


def main() -> None:
    """Measure each state, and write."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("states", type=Path, nargs="+")
    line.add_argument("--prompts", type=int, default=240, help="held-out captions, the tasks in turn")
    given = line.parse_args()
    file = RESULTS / "world-2-curve.csv"
    with file.open(newline="") as stream:
        known: dict[int, dict[str, object]] = {int(row["step"]): {**row} for row in csv.DictReader(stream)}
    for path in given.states:
        row = measured(path, given.prompts)
        known[int(str(row["step"]))] = row
    rows = [known[step] for step in sorted(known)]
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()
