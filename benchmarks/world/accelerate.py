"""What accelerated decoding gains on world-ar, and what it costs: passes, time, and images that a detector judges right.

Every kind draws the same held-out captions with the same seeds; times are of one image after the other, each caption by
every kind in turn, beside the plain loop alone and beside its whole batches. Writes results/accelerate.csv.

    OMP_NUM_THREADS=1 python benchmarks/world/accelerate.py [--every 5] [--timed 12] [--only SPEC ...]
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from pathlib import Path

import torch
from scipy.stats import binomtest

sys.path.append(str(Path(__file__).resolve().parents[1] / "speed"))

from common import machine

from evalkit.generators.accelerate.settings import parse
from evalkit.generators.accelerate.start import Acceleration, accelerate
from evalkit.generators.base import Generator, Image, Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.registry import load_generator
from evalkit.generators.sampling import Sampler
from evalkit.world.detector import detect
from evalkit.world.judge import verdict
from evalkit.world.prompts import WorldPrompt, world_prompts

RESULTS = Path(__file__).parent / "results"
SAMPLER = Sampler(Guidance("llamagen", 3.0), top_p=0.95)  # with guidance, as papers measure
SPECS = (
    "speculative:length=4",
    "speculative:length=8",
    "speculative:length=16",
    "speculative:draft=world-ar-draft,length=4",
    "gsd:length=16",
    "gsd:length=16,distance=2",
    "lantern:length=16,k=100,delta=0.1",
    "lantern:length=16,k=100,delta=0.5",
)


def load(name: str) -> Generator:
    """On one core, in float32."""
    return load_generator(name, device="cpu", dtype="float32")


def seconds(model: Generator, requests: list[Request]) -> float:
    """Of making the images."""
    started = time.perf_counter()
    model.generate(requests)
    return time.perf_counter() - started


def right(prompts: list[WorldPrompt], images: list[Image]) -> int:
    """Images that show what their captions demand."""
    return sum(verdict(p.demand, detect(image.pixels)).correct for p, image in zip(prompts, images, strict=True))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=5, help="of the 500 captions, each so many-th")
    parser.add_argument("--timed", type=int, default=12, help="captions that are timed")
    parser.add_argument("--only", nargs="*", default=SPECS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    prompts = world_prompts()[:: given.every]
    asked = [Request(p.id, p.caption, seed=i, sampler=SAMPLER) for i, p in enumerate(prompts)]
    plain = load("world-ar")
    batch = min(seconds(plain, asked[: plain.rows]) for _ in range(3)) / plain.rows
    kinds: dict[str, tuple[Generator, Acceleration | None]] = {"plain": (load("world-ar"), None)}
    kinds["plain"][0].rows = 1
    for spec in given.only:
        model = load("world-ar")
        kinds[spec] = model, accelerate(model, parse(spec), load)
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for request in asked[: given.timed]:
        for name, (model, _) in kinds.items():
            times[name].append(seconds(model, [request]))
    rows = []
    for name, (model, made) in kinds.items():
        images = [image for image in (plain if made is None else model).generate(asked) if isinstance(image, Image)]
        said = made.report([image.notes["acceleration"] for image in images]) if made else {"law": "unchanged"}
        good = right(prompts, images)
        low, high = binomtest(good, len(images)).proportion_ci(method="wilson")
        alone = statistics.median(times[name])
        rows.append(
            {
                "machine": machine(),
                "spec": name,
                "law": said["law"],
                "step_compression": said.get("step_compression", 1.0),
                "acceptance_length": said.get("acceptance_length", 0.0),
                "acceptance_rate": said.get("acceptance_rate", 0.0),
                "ms_a_picture": round(alone * 1e3, 1),
                "speed_up": round(statistics.median(times["plain"]) / alone, 2),
                "speed_up_over_batches": round(batch / alone, 2),
                "right": round(good / len(images), 3),
                "low": round(low, 3),
                "high": round(high, 3),
                "n": len(images),
            }
        )
        print("  ".join(f"{key}={value}" for key, value in rows[-1].items() if key != "machine"), flush=True)
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "accelerate.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
