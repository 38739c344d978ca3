"""Methods that bias logits beside methods that leave the distribution of images unchanged, on world-ar2.

Images answer captions of the suite `world2` with the default sampler. A row for each method tells

- quality: share of images that show what their caption demands, with the change against unmarked images of the same
  captions (95 % interval, pairs); the Frechet distance of efficientnet-lite0 features, as a multiple of that between two
  sets of unmarked images; and `excess_bits`, by how much the codes drawn are less likely, to the model itself, than codes
  of its own distribution: the mean over images of (surprise - entropy), with its standard error;
- power: share found at 1e-3 in the codes drawn and in the images (codes read back from PNG), unmarked images called;
- robustness: share found after JPEG, half size, noise, blur and a crop of 10 % (no search);
- forgery: of 60 unmarked images whose codes a thief exchanged for the best of their eight nearest, after he compared how
  often each coin occurs in the marked images and in as many unmarked ones, and which he rendered; and the PSNR of that.

Run: python benchmarks/tables/watermark_unbiased.py [--images 96] [--weights FOLDER] [METHOD ...]
(adds the rows that watermark-unbiased.csv lacks; rows of other weights of the model are measured again)
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from second_world import KEY, SecondWorld
from torch import Tensor
from watermark_world import psnr_of, read, shares, write

from evalkit.generators.base import Step
from evalkit.images.decode import decode_image
from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels
from evalkit.metrics.frechet import frechet_distance_of_features
from evalkit.watermark.attacks import read_attack
from evalkit.watermark.bias import mark_generator
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.watermark.methods.subject import codebook_of
from evalkit.weights.find import find_weights

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
NEAR, FORGED = 8, 60
CASES: dict[str, tuple[MarkSpec, float | None, float | None]] = {  # with delta and until
    "lbw, delta 1": (MarkSpec("lbw"), 1.0, None),
    "lbw, delta 2": (MarkSpec("lbw"), 2.0, None),
    "lbw, delta 4": (MarkSpec("lbw"), 4.0, None),
    "lbw, delta 4 until 1e-6": (MarkSpec("lbw"), 4.0, 1e-6),
    "places, delta 2": (MarkSpec("places"), 2.0, None),
    "gumbel": (MarkSpec("gumbel"), None, None),
    "dipmark": (MarkSpec("dipmark"), None, None),
    "tournament": (MarkSpec("tournament"), None, None),
    "tournament, 16 lists": (MarkSpec("tournament", lists=16), None, None),
    "tournament, code before": (MarkSpec("tournament", seeded="before"), None, None),
}
NONE = "none"
ATTACKS = ("jpeg:75", "jpeg:50", "resize:0.5", "noise:0.02", "blur:1", "crop:0.9:centre")


class Surprise:
    """A logits processor that changes nothing, and adds up surprise and entropy of the codes drawn, in bits.

    A code is seen when the next one is drawn, so the last one of an image is left out.
    """

    def __init__(self) -> None:
        self.told: dict[tuple[int, int], tuple[float, float]] = {}  # (seed, place): surprise, entropy
        self._law = torch.zeros(0)

    def __call__(self, logits: Tensor, step: Step) -> Tensor:
        """Logits [B, 1, V] as they are."""
        law, at = self._law, step.positions.start - 1
        if at >= 0:
            surprise = -law.gather(1, step.tokens[:, -1:])[:, 0]
            entropy = -(law.exp() * law).sum(-1)
            for seed, *bits in zip(step.seeds, surprise.tolist(), entropy.tolist(), strict=True):
                self.told[seed, at] = (bits[0] / np.log(2), bits[1] / np.log(2))
        self._law = torch.log_softmax(logits[:, 0].double(), -1)
        return logits

    def bits(self) -> Floats:
        """float64 [images, 2]: surprise and entropy of each image."""
        found: dict[int, Floats] = {}
        for (seed, _), bits in self.told.items():
            found[seed] = found.get(seed, np.zeros(2)) + bits
        return np.array(list(found.values()))


class Drawn:
    """One set of images: through PNG files, with the codes that were drawn and what the model says of them."""

    def __init__(self, world: SecondWorld, seed: int, marking: Callable[[], object] = bool) -> None:
        told, processors = Surprise(), world.generator.logits_processors
        processors.clear()
        processors.append(told)
        marking()
        self.chosen: Ints = world.generator.sample_tokens(world.asked(world.prompts, seed)).numpy()
        processors.clear()
        self.bits, self.images = told.bits(), rendered(world, self.chosen)
        self.right = world.verdicts(self.images)
        self.features = world.features(self.images)

    @classmethod
    def kept(cls, world: SecondWorld, seed: int, file: Path | None) -> Drawn:
        """Unmarked images, from a file of an earlier piece where there is one."""
        if file is not None and file.exists():
            found = cls.__new__(cls)
            with np.load(file) as arrays:
                found.__dict__.update({name: arrays[name] for name in arrays.files})
            found.images = list(found.images)
            return found
        drawn = cls(world, seed)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(file, **drawn.__dict__)
        return drawn


def rendered(world: SecondWorld, codes: Ints) -> list[Pixels]:
    """Images of codes, through PNG files."""
    with torch.inference_mode():
        made = [world.generator._pixels(torch.from_numpy(row[None]), (0,))[0] for row in codes]
    return [decode_image(png_bytes(pixels)) for pixels in made]


def coins_of(mark: Mark, codes: Ints, vocabulary: int) -> Ints:
    """int64 [B, N]: what a thief knows of each code: itself, with its place, or with the code before (0 where none is)."""
    if mark.method == "lbw":
        return codes
    before = np.concatenate([np.zeros((len(codes), 1), np.int64), codes[:, :-1]], 1)
    by_before = getattr(mark.__dict__.get("spec"), "seeded", None) == "before"
    return (before if by_before else np.arange(codes.shape[1])) * vocabulary + codes


def forgeries(mark: Mark, marked: Ints, clean: Ints, covers: Ints, near: Ints) -> Ints:
    """Covers [n, N] whose codes are exchanged for those of their neighbours `near` [V, 8] that occur most in marked images."""
    size = len(near)
    counts = [np.bincount(coins_of(mark, each, size).ravel(), minlength=size * size) + 0.5 for each in (marked, clean)]
    scores, found = np.log(counts[0]) - np.log(counts[1]), covers.copy()
    for row in found:
        used: set[int] = set()
        for at in range(len(row)):
            tried = np.repeat(row[None], NEAR, 0)
            tried[:, at] = near[row[at]]
            coins = coins_of(mark, tried, size)[:, at]
            best = int(np.argmax([0.0 if coin in used else scores[coin] for coin in coins.tolist()]))
            row[at] = tried[best, at]
            used.add(int(coins[best]))
    return found


class Bench:
    """What every method is compared with."""

    def __init__(self, world: SecondWorld, work: Path | None) -> None:
        self.world = world
        count = len(world.prompts)
        self.plain, self.reference = (
            Drawn.kept(world, seed, work and work / f"unmarked-{count}-{seed}.npz") for seed in (1, 2)
        )
        self.clean = world.codes(self.plain.images)
        self.own = frechet_distance_of_features(self.plain.features, self.reference.features)
        table = torch.from_numpy(codebook_of(world.tokenizer))
        self.near = torch.cdist(table, table).topk(NEAR, largest=False).indices.numpy()

    def row(self, name: str) -> dict[str, Any]:
        """Of one method, or of unmarked images."""
        if name == NONE:
            return self.quality(self.reference, self.plain)
        spec, delta, until = CASES[name]
        mark = mark_for(spec, KEY, self.world.tokenizer)
        drawn = Drawn(self.world, 3, lambda: mark_generator(self.world.generator, mark, delta, until))
        return {**self.quality(drawn, self.reference), **self.found(mark, drawn)}

    def quality(self, drawn: Drawn, other: Drawn) -> dict[str, Any]:
        """Against other unmarked images of the same captions."""
        change = drawn.right - np.mean([self.plain.right, self.reference.right], 0)
        error = 1.96 * change.std(ddof=1) / np.sqrt(len(change))
        marked = drawn is not self.reference
        excess = drawn.bits[:, 0] - drawn.bits[:, 1]
        return {
            "image_right": float(drawn.right.mean() if marked else np.mean([drawn.right, other.right])),
            "change_low": float(change.mean() - error) if marked else "",
            "change_high": float(change.mean() + error) if marked else "",
            "fd_multiple": frechet_distance_of_features(drawn.features, other.features) / self.own,
            "entropy_bits": float(drawn.bits[:, 1].mean()),
            "excess_bits": float(excess.mean()), "excess_error": float(excess.std(ddof=1) / np.sqrt(len(excess))),
        }  # fmt: skip

    def found(self, mark: Mark, drawn: Drawn) -> dict[str, Any]:
        """Power, robustness, and what a thief makes of the images."""
        world, bound = self.world, np.log(1e-3)
        read_back = world.codes(drawn.images)
        scores = mark.score(read_back)
        told: dict[str, Any] = {
            "codes_read_back": float((read_back == drawn.chosen).mean()), "coins": float(np.median(scores.distinct)),
            "in_codes": float((mark.score(drawn.chosen).log_p <= bound).mean()), **shares(scores.log_p, "found"),
            "median_log10_p": float(np.median(scores.log_p)) / np.log(10),
            "unmarked_called": float((mark.score(self.clean).log_p <= bound).mean()),
        }  # fmt: skip
        for spelling in ATTACKS:
            files = read_attack(spelling).files(drawn.images, list(range(len(drawn.images))))
            codes = world.codes([decode_image(file.data) for file in files])
            told[spelling] = float((mark.score(codes).log_p <= bound).mean())
        fakes = rendered(world, forgeries(mark, read_back, self.clean, self.clean[:FORGED], self.near))
        told["forged"] = float((mark.score(world.codes(fakes)).log_p <= bound).mean())
        return {**told, "forgery_psnr_db": psnr_of(fakes, self.plain.images[:FORGED])}


def main() -> None:
    """Measure what is missing, and write after every row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", help=f"{NONE}, {', '.join(CASES)} [all]")
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--work", type=Path, help="an empty folder that keeps unmarked images between pieces")
    parser.add_argument("--weights", type=Path, help="folder with the files of the second edition")
    asked = parser.parse_args()
    digest, names = weights_digest(asked.weights), [NONE, *CASES]
    missing = [name for name in asked.methods or names if name not in {row["method"] for row in rows_of(digest)}]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(SecondWorld(asked.images, Path(folder), asked.weights), asked.work)
        for name in missing:
            row = {"method": name, "images": asked.images, "weights": digest, **bench.row(name)}
            rows = sorted([*rows_of(digest), row], key=lambda each: names.index(each["method"]))
            wide = max(rows, key=len)
            write("watermark-unbiased", [{**dict.fromkeys(wide, ""), **each} for each in rows])


def rows_of(digest: str) -> list[dict[str, Any]]:
    """Rows that are there of these weights."""
    return [row for row in read("watermark-unbiased") if row.get("weights") == digest]


def weights_digest(folder: Path | None) -> str:
    """Which world-ar2 it is."""
    return hashlib.sha256(find_weights("world_ar2.safetensors", folder).read_bytes()).hexdigest()[:12]


if __name__ == "__main__":
    main()
