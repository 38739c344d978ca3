"""How good the reference world is: GenEval's tasks for oracle renders, world-vq's reconstructions, world-ar's images and
shuffled captions, each with a 95 % interval (over prompts, where one gave several images); the detector alone; seconds of
all images; the gain of the cache.

    python benchmarks/world/measure.py [--weights world_ar.safetensors] [--samples 4] [--quick]
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path
from random import Random

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parents[1] / "speed"))

from common import machine

from evalkit.generators.base import Request
from evalkit.generators.registry import load_generator
from evalkit.generators.world_ar import one_thread
from evalkit.images.sample import Pixels
from evalkit.prompts.load import load_prompts
from evalkit.stats.intervals import mean_interval
from evalkit.tasks.generate.rows import seed_of
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.world.detector import detect
from evalkit.world.judge import verdict
from evalkit.world.prompts import WorldPrompt, world_prompts
from evalkit.world.render import render_scene
from evalkit.world.scene import TASKS

RESULTS = Path(__file__).parent / "results"


def scores(what: str, prompts: list[WorldPrompt], images: list[Pixels]) -> list[dict[str, object]]:
    """A row for each task."""
    found = [verdict(p.demand, detect(image)) for p, image in zip(prompts, images, strict=True)]
    rows = []
    for task in (*TASKS, "all"):
        kept = [(float(v.correct), p.id) for v, p in zip(found, prompts, strict=True) if task in (v.task, "all")]
        right, ids = zip(*kept, strict=True)
        share = mean_interval(right, clusters=ids if len(set(ids)) < len(ids) else None)
        bounds = {"value": share.value, "low": share.low, "high": share.high}
        rounded = {name: round(float(value), 4) for name, value in bounds.items() if value is not None}
        rows.append({"what": what, "task": task, **rounded, "n": len(ids), "prompts": len(set(ids))})
    return rows


def reconstructions(images: list[Pixels]) -> tuple[list[Pixels], float]:
    """world-vq's images, and their PSNR in dB."""
    model = load_tokenizer("world-vq", device="cpu")
    done = []
    for start in range(0, len(images), 50):
        x = torch.from_numpy(np.stack(images[start : start + 50])).permute(0, 3, 1, 2).float() / 255
        y = model.decode(model.encode(x)).clamp(0, 1).mul(255).round().to(torch.uint8)
        done += list(y.permute(0, 2, 3, 1).numpy())
    errors = [np.square(a.astype(float) - b).mean() / 255**2 for a, b in zip(images, done, strict=True)]
    return done, float(np.mean(-10 * np.log10(errors)))


def without_cache(generator: object, requests: list[Request]) -> float:
    """Seconds of a loop that reads everything again for each code, on the same network and batch."""
    net, cfg = generator.network, generator.default_sampler  # type: ignore[attr-defined]
    text = generator.encode_conditions(requests)  # type: ignore[attr-defined]
    rows = len(text)
    both = text if cfg.guidance.off else torch.cat([text, torch.zeros_like(text)])
    tokens = torch.zeros(len(both), 64, dtype=torch.int64)
    started = time.perf_counter()
    with torch.inference_mode(), one_thread():
        for i in range(64):
            logits = net(both, tokens[:, : i + 1])[:, -1]
            guided = logits if cfg.guidance.off else cfg.guidance.combine(logits[:rows], logits[rows:], 0.0)
            tokens[:, i] = torch.multinomial(guided.softmax(-1), 1)[:, 0].repeat(len(both) // rows)
    return time.perf_counter() - started


def main() -> None:
    """Measure, print, and write results/quality.csv and results/speed.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights")
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="a tenth of the prompts, no files")
    given = parser.parse_args()
    torch.set_num_threads(2)
    prompts = world_prompts()[:: 10 if given.quick else 1]
    oracle = [render_scene(p.scene) for p in prompts]
    rows = scores("oracle", prompts, oracle)
    order = list(range(len(prompts)))
    Random(0).shuffle(order)
    rows += scores("oracle, captions shuffled", prompts, [oracle[i] for i in order])
    rebuilt, psnr = reconstructions(oracle)
    print(f"world-vq: {psnr:.2f} dB")
    rows += scores("world-vq reconstructions", prompts, rebuilt)
    generator = load_generator("world-ar", given.weights, "cpu", "float32")
    suite = {p.id: p for p in load_prompts("world").prompts}
    asked = [
        Request(f"{p.id}-{k}", p.caption, seed=seed_of(0, suite[p.id], k))
        for p in prompts
        for k in range(given.samples)
    ]
    started = time.process_time()
    made = [image.pixels for image in generator.generate(asked)]
    seconds = time.process_time() - started
    repeated = [p for p in prompts for _ in range(given.samples)]
    rows += scores("world-ar", repeated, made)
    mixed = list(range(len(made)))
    Random(1).shuffle(mixed)
    rows += scores("world-ar, captions shuffled", repeated, [made[i] for i in mixed])
    for row in rows:
        print("  ".join(f"{key}={value}" for key, value in row.items()))
    batch = asked[: generator.rows]
    timings = []
    for _ in range(1 if given.quick else 3):
        begun = time.perf_counter()
        generator.sample_tokens(batch)
        timings.append((time.perf_counter() - begun, without_cache(generator, batch)))
    ratio = float(np.median([slow / fast for fast, slow in timings]))
    print(f"{len(made)} images in {seconds:.1f} s of a processor; a loop without cache takes {ratio:.1f} times as long")
    if given.quick:
        return
    RESULTS.mkdir(exist_ok=True)
    speed = [
        {
            "machine": machine(),
            "images": len(made),
            "processor_seconds": round(seconds, 1),
            "without_cache_times": round(ratio, 2),
            "vq_psnr_db": round(psnr, 2),
        }
    ]
    for name, table in (("quality", rows), ("speed", speed)):
        with (RESULTS / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(table[0]))
            writer.writeheader()
            writer.writerows(table)


if __name__ == "__main__":
    main()
