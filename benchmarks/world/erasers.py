"""Erasers of one class of the reference world with their own settings: seconds of processor time, what is left of the
class by its name and by its synonyms, and whether everything else is still drawn, over seeds of the training.

Images are drawn without guidance and filters, the base's and the eraser's from common random numbers. Writes
results/erasers.csv, a row for each method and seed; rows of other methods and seeds stay.

    OMP_NUM_THREADS=1 python benchmarks/world/erasers.py --method replace+retain --seeds 0 1 2
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).resolve().parents[1] / "speed"))

from common import machine

from evalkit.erasure.pairs.make import RETAINED
from evalkit.erasure.pairs.pair import Pair
from evalkit.erasure.pairs.world import world_pairs, world_retained
from evalkit.erasure.training import Training, train
from evalkit.erasure.training.objective import METHODS
from evalkit.generators.base import Generator, Image, Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.registry import load_generator
from evalkit.generators.sampling import Sampler
from evalkit.stats.paired import paired_difference
from evalkit.world.captions import read_caption
from evalkit.world.detector import Seen, detect
from evalkit.world.prompts import world_prompts

PLAIN = Sampler(Guidance("llamagen", 1.0))
TRAINED = ("direct", "compositional")


def seen(model: Generator, prompts: list[str], seed: int) -> list[Seen]:
    """What is in an image of each prompt."""
    asked = [Request(str(i), prompt=p, seed=seed + i, sampler=PLAIN) for i, p in enumerate(prompts)]
    return [detect(made.pixels) for made in model.generate(asked) if isinstance(made, Image)]


def shown(prompts: list[str], found: list[Seen]) -> list[float]:
    """Whether each image shows every class that its prompt names."""
    return [
        float(all(each.count(wanted.name) > 0 for wanted in read_caption(prompt).wanted))
        for prompt, each in zip(prompts, found, strict=True)
    ]


def trained(method: str, concept: str, seed: int, out: Path, count: int) -> tuple[Path, float, int]:
    """Weights, seconds of processor time of the training, and its updates."""
    pairs = [p for p in world_pairs(concept, count, seed) if p.split == "train" and p.stratum in TRAINED]
    retain = world_retained(concept, RETAINED, seed)
    began = time.process_time()
    done = train(Training("world-ar", method, tuple(pairs), out, retain, seed=seed, device="cpu"))
    return done.weights, time.process_time() - began, int(done.facts["steps"])


def row(method: str, concept: str, seed: int, given: argparse.Namespace) -> dict[str, object]:
    """One eraser beside its base."""
    with tempfile.TemporaryDirectory() as folder:
        weights, seconds, steps = trained(method, concept, seed, Path(folder), given.pairs)
        base, eraser = (load_generator("world-ar", w, "cpu", "float32") for w in (None, weights))
    tests = [p for p in world_pairs(concept, given.tests) if p.split == "test"]
    kept = [p.caption for p in world_prompts() if concept not in {w.name for w in p.demand.wanted}][: given.retained]
    before, after = (shown(kept, seen(model, kept, 10_000)) for model in (base, eraser))
    change = paired_difference(after, before).estimate
    found: dict[str, object] = {"method": method, "concept": concept, "seed": seed, "steps": steps}
    found |= {"cpu_seconds": round(seconds, 1)}
    for stratum in ("direct", "synonym", "compositional"):
        found[stratum] = _rate(eraser, tests, stratum, concept)
    found |= {"retained": round(sum(after) / len(kept), 4), "retained_base": round(sum(before) / len(kept), 4)}
    found |= {"change": round(change.value, 4), "change_low": round(change.low or 0.0, 4), "n": len(kept)}
    return {**found, "machine": machine()}


def _rate(model: Generator, pairs: list[Pair], stratum: str, concept: str) -> float:
    prompts = [p.target for p in pairs if p.stratum == stratum]
    return round(sum(each.count(concept) > 0 for each in seen(model, prompts, 20_000)) / max(len(prompts), 1), 4)


def main() -> None:
    """Train, look, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", nargs="+", default=[name for name in METHODS if name != "first-scale"])
    parser.add_argument("--concept", default="dog")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--pairs", type=int, default=40, help="of each stratum")
    parser.add_argument("--tests", type=int, default=60, help="prompts of each stratum")
    parser.add_argument("--retained", type=int, default=300, help="held-out captions without the concept")
    parser.add_argument("--file", type=Path, default=Path(__file__).parent / "results" / "erasers.csv")
    given = parser.parse_args()
    torch.set_num_threads(1)
    path: Path = given.file
    rows: dict[tuple[str, str, str], dict[str, object]] = {}
    if path.exists():
        with path.open(newline="") as stream:
            rows = {(r["method"], r["concept"], r["seed"]): dict(r) for r in csv.DictReader(stream)}
    for method in given.method:
        for seed in given.seeds:
            found = row(method, given.concept, seed, given)
            print(found, flush=True)
            rows[method, given.concept, str(seed)] = found
            with path.open("w", newline="") as stream:
                writer = csv.DictWriter(stream, list(found))
                writer.writeheader()
                writer.writerows(rows.values())


if __name__ == "__main__":
    main()
