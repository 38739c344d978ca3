"""What a soft bias of world-ar2 (the second world) costs and finds: a curve over delta, images as PNG files.

For each gamma and delta: how many marked images are found at FPR 1e-2 and 1e-3 by the exact p, and by the larger of the
exact p and the calibrated one (unmarked images of other seeds); how many unmarked images are called, with this key and on
average over 200 keys; the share of images that show what their caption demands; and the Frechet distance of efficientnet-lite0
features to other unmarked images, as a multiple of that between two sets of unmarked images.

Run: python benchmarks/tables/watermark_world2.py [--weights runs/world2] [--images 300] (adds the rows that
watermark-world2.csv lacks)
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from watermark_world import World, decided, read, shares, write

from evalkit.encoders.registry import load_extractor
from evalkit.generators.base import Request, TokenGenerator
from evalkit.generators.guidance import Guidance
from evalkit.generators.registry import load_generator
from evalkit.generators.sampling import Sampler
from evalkit.images.decode import decode_image
from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels
from evalkit.metrics.frechet import frechet_distance_of_features
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.attacks.base import seed_of
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.world.judge import verdict
from evalkit.world.second.detector import detect_all
from evalkit.world.second.prompts import second_prompts

KEY = Key(bytes(range(32)))
KEYS = 200
CURVES = {0.5: (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0), 0.25: (2.0, 3.0, 4.0, 5.0, 6.0)}  # deltas by gamma


class SecondWorld(World):
    """Images of world-ar2 for the first held-out captions."""

    def __init__(self, count: int, folder: Path, weights: Path | None, guidance: float | None) -> None:
        self.folder = folder
        self.tokenizer = load_tokenizer("world-vq2", weights, "cpu")
        generator = load_generator("world-ar2", weights, "cpu")
        if not isinstance(generator, TokenGenerator):
            raise TypeError(type(generator))
        self.generator, self.prompts = generator, second_prompts(count)
        self.sampler = Sampler(Guidance("llamagen", guidance)) if guidance else generator.default_sampler
        self.extractor = load_extractor("efflite0", device="cpu")

    def asked(self, prompts: Any, seed: int) -> list[Request]:
        """One image of each caption."""
        return [Request(p.id, p.caption, seed=seed_of(seed, p.id), sampler=self.sampler) for p in prompts]

    def many(self, count: int) -> npt.NDArray[np.int64]:
        """Codes read from so many unmarked images of fresh captions."""
        self.generator.logits_processors.clear()
        asked = self.asked(second_prompts(count, seed=11), 7)
        read = []
        for start in range(0, count, 100):
            codes = self.generator.sample_tokens(asked[start : start + 100])
            with torch.inference_mode():
                made = [self.generator._pixels(row[None], (0,))[0] for row in codes]
            read.append(self.codes([decode_image(png_bytes(image)) for image in made]))
        return np.concatenate(read)

    def right(self, images: list[Pixels]) -> float:
        """Share of images that show what their caption demands."""
        return float(self.verdicts(images).mean())

    def verdicts(self, images: list[Pixels]) -> npt.NDArray[np.float64]:
        """1 for each image that shows what its caption demands, else 0."""
        seen = detect_all(images)
        return np.array([float(verdict(p.demand, s).correct) for p, s in zip(self.prompts, seen, strict=True)])


def main() -> None:
    """Measure, and write after every row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--nulls", type=int, default=1500)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--weights", type=Path, help="folder with the files of the second edition")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world = SecondWorld(given.images, Path(folder), given.weights, given.guidance)
        measured(world, world.many(given.nulls))


def measured(world: SecondWorld, nulls: npt.NDArray[np.int64]) -> None:
    """A row for each gamma and delta that the table lacks; delta 0 is the model as it is."""
    rows = read("watermark-world2")
    there = {(float(row["gamma"]), float(row["delta"])) for row in rows}
    plain, _ = world.images("plain", 1)
    reference = world.features(world.images("reference", 2)[0])
    null, unmarked = world.codes(plain), world.features(plain)
    own = frechet_distance_of_features(unmarked, reference)
    for gamma, deltas in CURVES.items():
        spec = MarkSpec("lbw", gamma=gamma)
        mark = mark_for(spec, KEY, world.tokenizer)
        every = [mark_for(spec, Key(bytes([i // 256, i % 256] * 16)), world.tokenizer) for i in range(1, KEYS + 1)]
        average = float(np.mean([(m.score(nulls).log_p <= np.log(1e-3)).mean() for m in every]))
        ordered = np.sort(mark.score(nulls).log_p)
        for delta in (each for each in deltas if (gamma, each) not in there):
            images, chosen = world.images(f"delta-{gamma:g}-{delta:g}", 0, mark if delta else None, delta)
            codes = world.codes(images)
            score, clean = mark.score(codes), mark.score(null).log_p
            larger = decided(score.log_p, ordered)
            row = {
                "gamma": gamma, "delta": delta, "marked": len(images) if delta else 0, "unmarked": len(plain),
                **shares(score.log_p, "found"), **shares(clean, "called"), "called_mean_of_keys_at_1e-3": average,
                "found_larger_p_at_1e-3": float((larger <= np.log(1e-3)).mean()),
                "called_larger_p_at_1e-3": float((decided(clean, ordered) <= np.log(1e-3)).mean()),
                "coins": float(np.median(score.distinct)), "green": float((score.green / score.distinct).mean()),
                "codes_read_back": float((codes == chosen).mean()), "world_probe": world.right(images),
                "fd_multiple": frechet_distance_of_features(world.features(images), reference) / own,
            }  # fmt: skip
            rows.append(row)
            write("watermark-world2", rows)


if __name__ == "__main__":
    main()
