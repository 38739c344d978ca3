"""Methods that bias logits beside methods that leave the distribution of images unchanged, on the reference world.

world-ar draws with guidance 1 and top-p 1. At temperature 1 it is sure of nearly every code (a median of 10 bits an image),
at 2 it has 75 bits and at 3 470 bits of freedom, and pays for them in images that miss their caption, marked or not. Per
temperature and method: share found at 1e-3 in the codes that were drawn and in the images (codes read back from PNG), the
latter also after JPEG 75 and a resize to half and back; unmarked images called; quality as the share of images that show
what their caption demands (world-probe) and the Frechet distance of efficientnet-lite0 features to other unmarked images
of temperature 1; and forgeries: from the marked images and as many unmarked ones a thief scores each coin by the log ratio
of its frequencies, exchanges codes of unmarked images for the best of their eight nearest, and renders them (`forged`).

Run: python benchmarks/tables/watermark_unbiased.py [--images 60]  (writes watermark-unbiased.csv)
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from watermark_world import KEY, World, shares, write

from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.sampling import Sampler
from evalkit.images.decode import decode_image
from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels
from evalkit.metrics.frechet import frechet_distance_of_features
from evalkit.watermark.attacks import read_attack
from evalkit.watermark.attacks.base import seed_of
from evalkit.watermark.bias import mark_generator
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.watermark.methods.subject import codebook_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
NEAR, FORGED = 8, 60
TEMPERATURES = (3.0, 2.0, 1.0)
CASES: tuple[tuple[str, MarkSpec, float | None], ...] = (
    ("lbw, delta 2", MarkSpec("lbw"), 2.0),
    ("places, delta 2", MarkSpec("places"), 2.0),
    ("gumbel", MarkSpec("gumbel"), None),
    ("dipmark", MarkSpec("dipmark"), None),
    ("tournament", MarkSpec("tournament"), None),
    ("tournament, code before", MarkSpec("tournament", seeded="before"), None),
)
ATTACKS = ("jpeg:75", "resize:0.5")


class Free(World):
    """The world with all of the model's own freedom."""

    temperature = 1.0

    def images(self, seed: int, mark: Mark | None = None, delta: float | None = None) -> tuple[list[Pixels], Ints]:
        """(images read back from PNG files, the codes that were drawn)."""
        self.generator.logits_processors.clear()
        if mark is not None:
            mark_generator(self.generator, mark, delta)
        free = Sampler(Guidance(scale=1.0), temperature=self.temperature, top_p=1.0)
        asked = [Request(p.id, p.caption, seed=seed_of(seed, p.id), sampler=free) for p in self.prompts]
        codes = self.generator.sample_tokens(asked).numpy()
        self.generator.logits_processors.clear()
        return self.rendered(codes), codes

    def rendered(self, codes: Ints) -> list[Pixels]:
        """Images of codes, through PNG files."""
        with torch.inference_mode():
            made = [self.generator._pixels(torch.from_numpy(row[None]), (0,))[0] for row in codes]
        return [decode_image(png_bytes(pixels)) for pixels in made]


def coins_of(mark: Mark, codes: Ints) -> Ints:
    """int64 [B, N]: what a thief knows of each code: itself, with its place, or with the code before (0 where none is)."""
    if mark.method == "lbw":
        return codes
    before = np.concatenate([np.zeros((len(codes), 1), np.int64), codes[:, :-1]], 1)
    by_before = getattr(mark.__dict__.get("spec"), "seeded", None) == "before"
    return (before if by_before else np.arange(codes.shape[1])) * 1024 + codes


def forgeries(mark: Mark, marked: Ints, clean: Ints, covers: Ints, near: Ints) -> Ints:
    """Covers [n, N] whose codes are exchanged for those of their neighbours `near` [V, 8] that occur most in marked images."""
    counts = [np.bincount(coins_of(mark, each).ravel(), minlength=1024 * 1024) + 0.5 for each in (marked, clean)]
    scores, found = np.log(counts[0]) - np.log(counts[1]), covers.copy()
    for row in found:
        used: set[int] = set()
        for at in range(len(row)):
            tried = np.repeat(row[None], NEAR, 0)
            tried[:, at] = near[row[at]]
            coins = coins_of(mark, tried)[:, at]
            best = int(np.argmax([0.0 if coin in used else scores[coin] for coin in coins.tolist()]))
            row[at] = tried[best, at]
            used.add(int(coins[best]))
    return found


def main() -> None:
    """Measure and write after every row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=60)
    count = parser.parse_args().images
    with tempfile.TemporaryDirectory() as folder:
        world, rows = Free(count, Path(folder)), list[dict[str, Any]]()
        others, _ = world.images(2)  # at temperature 1
        reference, table = world.features(others), torch.from_numpy(codebook_of(world.tokenizer))
        near = torch.cdist(table, table).topk(NEAR, largest=False).indices.numpy()
        for world.temperature in TEMPERATURES:
            plain, _ = world.images(1)
            clean = world.codes(plain)
            rows.append(_quality(world, "none", plain, reference))
            for name, spec, delta in CASES:
                mark = mark_for(spec, KEY, world.tokenizer)
                images, chosen = world.images(3, mark, delta)
                fakes = world.codes(world.rendered(forgeries(mark, world.codes(images), clean, clean[:FORGED], near)))
                rows.append(
                    {**_quality(world, name, images, reference), **_found(world, mark, images, chosen, clean, fakes)}
                )
                write("watermark-unbiased", [{**dict.fromkeys(rows[-1], ""), **row} for row in rows])


def _quality(world: Free, name: str, images: list[Pixels], reference: Floats) -> dict[str, Any]:
    distance = frechet_distance_of_features(world.features(images), reference)
    told = {"method": name, "temperature": world.temperature, "images": len(images)}
    return {**told, "world_probe": world.right(images), "fd_efflite0": distance}


def _found(world: Free, mark: Mark, images: list[Pixels], chosen: Ints, clean: Ints, fakes: Ints) -> dict[str, Any]:
    read = world.codes(images)
    scores = mark.score(read)
    found = {
        "found_in_codes": float((mark.score(chosen).log_p <= np.log(1e-3)).mean()),
        "codes_read_back": float((read == chosen).mean()),
        **shares(scores.log_p, "tpr"), "median_log10_p": float(np.median(scores.log_p)) / np.log(10),
        "unmarked_called": float((mark.score(clean).log_p <= np.log(1e-3)).mean()),
        "coins": float(np.median(scores.distinct)),
    }  # fmt: skip
    for spelling in ATTACKS:
        files = read_attack(spelling).files(images, list(range(len(images))))
        codes = world.codes([decode_image(file.data) for file in files])
        found[spelling] = float((mark.score(codes).log_p <= np.log(1e-3)).mean())
    return {**found, "forged": float((mark.score(fakes).log_p <= np.log(1e-3)).mean())}


if __name__ == "__main__":
    main()
