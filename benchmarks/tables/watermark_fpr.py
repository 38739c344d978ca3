"""False-positive rates of the detector's p-values under both nulls, on token laws with heavy repeats, for pools of lists.

Key-random: the images are fixed, and every trial draws keys of its own: what an exact p speaks of. Image-random: the key
is fixed, and images are drawn from the law; what somebody with one key sees. There the exact p holds on average over
keys and not for each of them, so every key is also given a calibration (thousands of images without the mark): its conformal
p, and the larger of both p-values. Beside them is what the z-score would call, with a normal tail: `z` takes the largest z
of the pool as if one list had been tried, `z_corrected` divides the level by the number of lists, so that what is left is
the repeats' doing.

Simulated codes, 256 an image. Codes that never occur cannot matter to independent coins, so pools are made for those that
do. Run: python benchmarks/tables/watermark_fpr.py [--quick]  (writes benchmarks/tables/watermark-fpr.csv)
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from evalkit.stats.shares import clopper_pearson
from evalkit.watermark.keys import Key
from evalkit.watermark.lists import Scheme, make_pool
from evalkit.watermark.score import Scores, score_codes

TOKENS, GAMMA = 256, 0.5
LEVELS = (5e-2, 1e-2, 1e-3)
OUT = Path(__file__).parent
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def _zipf(count: int, power: float) -> Floats:
    law = 1 / np.arange(1, count + 1) ** power
    return law / law.sum()


def _drawn(law: Floats, images: int, rng: np.random.Generator) -> Ints:
    return np.minimum(np.searchsorted(np.cumsum(law), rng.random((images, TOKENS))), len(law) - 1)


def _flat(images: int, rng: np.random.Generator) -> Ints:
    """971 codes alive, and 30 % of each image filled with three of the twenty commonest."""
    codes = _drawn(_zipf(971, 0.5), images, rng)
    area = round(0.3 * TOKENS)
    three = rng.random((images, 20)).argsort(1)[:, :3]
    codes[:, :area] = np.take_along_axis(three, rng.integers(0, 3, (images, area)), axis=1)
    return codes


@dataclass(frozen=True)
class Law:
    """A law of codes: how many occur at all, and images drawn from it."""

    alive: int
    draw: Callable[[int, np.random.Generator], Ints]


LAWS: Mapping[str, Law] = {
    "uniform, 16,384 codes": Law(16384, lambda n, rng: rng.integers(0, 16384, (n, TOKENS))),
    "Zipf(1), 4,096 codes": Law(4096, lambda n, rng: _drawn(_zipf(4096, 1.0), n, rng)),
    "Zipf(0.5), 971 of 16,384 alive": Law(971, lambda n, rng: _drawn(_zipf(971, 0.5), n, rng)),
    "the same, 30 % flat area": Law(971, _flat),
}


def key_of(*what: Any) -> Key:
    """A key for a trial, the same in every run."""
    return Key(hashlib.sha256(repr(what).encode()).digest())


def _z_calls(scores: Scores, level: float, lists: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    z = scores.z_uncalibrated
    return z > norm.isf(level), z > norm.isf(level / lists)


def key_random(name: str, kind: Any, lists: int, trials: int, images: int = 64) -> Iterator[dict[str, Any]]:
    """A row a level over at least `trials` pairs of a key and one of `images` fixed images.

    The images' codes are renamed so that no two share one. Coins of different codes are independent, so one pool of all
    those codes is as good as a key for each image.
    """
    fixed = LAWS[name].draw(images, np.random.default_rng([1, lists]))
    codes, start = np.empty_like(fixed), 0
    for number, row in enumerate(fixed):
        kept, renamed = np.unique(row, return_inverse=True)
        codes[number], start = start + renamed, start + len(kept)
    scheme, log_p, calls = Scheme(GAMMA, lists, kind), [], np.zeros((len(LEVELS), 2))
    keys = math.ceil(trials / images)
    for number in range(keys):
        pool = make_pool(key_of("key-random", name, number), "simulated", start, scheme)
        scores = score_codes(codes, pool)
        log_p.append(scores.log_p)
        for at, level in enumerate(LEVELS):
            calls[at] += [each.sum() for each in _z_calls(scores, level, lists)]
    every, trials = np.concatenate(log_p), keys * images
    for at, level in enumerate(LEVELS):
        hits = int((every <= math.log(level)).sum())
        low, high = clopper_pearson(hits, trials)
        yield {
            "null": "key-random", "law": name, "kind": kind, "lists": lists, "level": level, "keys": trials,
            "pictures_a_key": 1, "exact": hits / trials, "low": low, "high": high,
            "z": calls[at, 0] / trials, "z_corrected": calls[at, 1] / trials,
        }  # fmt: skip


def image_random(
    name: str, kind: Any, lists: int, keys: int, images: int, calibration: int
) -> Iterator[dict[str, Any]]:
    """A row a level: each of `keys` sees `images` new images, and a calibration of its own. Intervals are over keys."""
    law, scheme = LAWS[name], Scheme(GAMMA, lists, kind)
    rates = np.empty((keys, len(LEVELS), 5))
    for number in range(keys):
        rng = np.random.default_rng([2, lists, number])
        histogram = np.bincount(law.draw(2000, rng).ravel(), minlength=law.alive) if kind == "paired" else None
        pool = make_pool(key_of("image-random", number), "simulated", law.alive, scheme, histogram)
        null = np.sort(score_codes(law.draw(calibration, rng), pool).log_p) if calibration else np.zeros(0)
        scores = score_codes(law.draw(images, rng), pool)
        exact = scores.log_p
        conformal = np.log((1 + np.searchsorted(null, exact, side="right")) / (calibration + 1))
        for at, level in enumerate(LEVELS):
            log = math.log(level)
            z, corrected = _z_calls(scores, level, lists)
            called = (exact <= log, conformal <= log, np.maximum(exact, conformal) <= log, z, corrected)
            rates[number, at] = [each.mean() for each in called]
    for at, level in enumerate(LEVELS):
        mean, error = rates[:, at].mean(0), rates[:, at].std(0, ddof=1) / math.sqrt(keys)
        each = rates[:, at, 0]
        row: dict[str, Any] = {
            "null": "image-random", "law": name, "kind": kind, "lists": lists, "level": level, "keys": keys,
            "pictures_a_key": images, "exact": mean[0], "low": max(0.0, mean[0] - 1.96 * error[0]),
            "high": mean[0] + 1.96 * error[0], "z": mean[3], "z_corrected": mean[4],
            "key_median": np.median(each), "key_p95": np.quantile(each, 0.95), "key_max": each.max(),
            "keys_above": float((each > level + 1.96 * math.sqrt(level * (1 - level) / images)).mean()),
        }  # fmt: skip
        if calibration:
            row |= {"calibrated": mean[1], "calibrated_high": mean[1] + 1.96 * error[1], "larger": mean[2],
                    "larger_high": mean[2] + 1.96 * error[2], "larger_key_max": rates[:, at, 2].max()}  # fmt: skip
        yield row


FIELDS = (
    "null", "law", "kind", "lists", "level", "keys", "pictures_a_key", "exact", "low", "high", "z", "z_corrected",
    "key_median", "key_p95", "key_max", "keys_above", "calibrated", "calibrated_high", "larger", "larger_high",
    "larger_key_max",
)  # fmt: skip


def kinds(lists: int) -> tuple[str, ...]:
    """The kinds of pools that are simulated with so many lists."""
    return ("independent",) if lists == 1 else ("independent", "balanced")


# lists: trials of the key-random null; then keys, images a key and calibration images of the image-random one
SIZES = {
    1: (20_032, 24, 1000, 2000),
    16: (10_048, 16, 1000, 2000),
    64: (5_056, 12, 1000, 2000),
    1024: (640, 6, 1000, 2000),
}
PAIRED = (10, 500, 1000)  # one list of paired codes, whose test is slower


def cell(name: str, lists: int, part: int) -> list[dict[str, Any]]:
    """The rows of one law and size of the pool; `part`: how many times fewer trials."""
    trials, keys, images, calibration = SIZES[lists]
    found = [row for kind in kinds(lists) for row in key_random(name, kind, lists, trials // part)]
    sizes = max(3, keys // part), images // part, calibration // part
    found += image_random(name, kinds(lists)[-1], lists, *sizes)
    if lists == 1:
        few, fewer, null = PAIRED
        found += image_random(name, "paired", 1, max(3, few // part), fewer // part, null // part)
    return found


def write(path: Path, table: Sequence[Mapping[str, Any]]) -> None:
    """The table as CSV; rates with four digits."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, FIELDS, lineterminator="\n")
        writer.writeheader()
        for row in table:
            writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})


def main() -> None:
    """Simulate, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the trials, no file")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    given = parser.parse_args()
    table: list[dict[str, Any]] = []
    started = time.perf_counter()
    work = [(name, lists, 20 if given.quick else 1) for lists in SIZES for name in LAWS]
    with ProcessPoolExecutor(given.jobs) as pool:
        for found in pool.map(cell, *zip(*work, strict=True)):
            table += found
            for row in found:
                said = (f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items())
                print(f"{time.perf_counter() - started:7.0f} s  ", "  ".join(said), flush=True)
            if not given.quick:
                write(OUT / "watermark-fpr.csv", table)


if __name__ == "__main__":
    main()
