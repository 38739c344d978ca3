"""How often a search calls images that carry no mark: by a price for each view, and by decoy keys in the same views.

    python benchmarks/tables/watermark_search.py template
    python benchmarks/tables/watermark_search.py flip,shifts

Leaves watermark-search.csv beside this script. Null images are photographs and a texture of the sample set under
world-vq:128, places. 200 keys meet every image, beside 999 decoys. Each search is looked at whole: `flip,shifts` (1,600
views, whose codes are the same for all keys, so that keys are further decoys of the same seed), and `template` (whose pose
follows from the key, where it has one). An image is one trial for each key.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from watermark_world import write

from evalkit.images import open_images
from evalkit.stats.shares import clopper_pearson
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.decoys.base import Decoys
from evalkit.watermark.decoys.families import decoys_of
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.contest import Contest
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.detection.search import prices, read_search
from evalkit.watermark.detection.views import View
from evalkit.watermark.exact import binomial_log_tail
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, mark_for

OUT = Path(__file__).parent
SETS = {"template": {"sample/photos": 2}, "flip,shifts": {"sample/photos": 3, "sample/textures": 1}}  # images of each
CELL, DECOYS, GAMMA, LEVELS = 8, 999, 0.5, (0.01, 0.001)
Ints = npt.NDArray[np.int64]


class Kept(Decoys):
    """Scores of decoys of codes that are looked at again under every key."""

    def __init__(self, scores: Ints) -> None:
        self.keys, self._scores = scores.shape[1], scores

    def scores(self, codes: Ints) -> Ints:
        """Of the image itself (one row), or of all its views."""
        return self._scores[:1] if len(codes) == 1 else self._scores[1:]


def trial(codes: Ints, greens: Ints, decoys: Decoys, views: int) -> tuple[float, float]:
    """(p by prices, p by rank) of one image's views, itself first, of which `greens` are the real key's counts.

    `views`: how many are tried besides; without a template its view has no codes.
    """
    tails = binomial_log_tail(greens, (codes >= 0).sum(1), GAMMA) + np.log(prices(views)[: len(codes)])
    contest = Contest(decoys)
    if len(codes) > 1:
        contest.add(codes[1:], greens[1:], [0] * (len(codes) - 1))
    (kept,) = contest.settled(contest.scores(codes[:1], greens[:1]))
    return float(np.exp(min(tails.min(), 0))), float(1 + (kept[:-1] >= kept[-1]).sum()) / (decoys.keys + 1)


def trials(search: str, keys: int) -> Iterator[tuple[float, float]]:
    """Of every null image under every key."""
    tokenizer = load_tokenizer("world-vq:128", device="cpu")
    views, rng = [View(), *read_search(search, CELL)], np.random.default_rng(19)
    marks = [mark_for(MarkSpec("places"), Key(rng.bytes(32)), tokenizer) for _ in range(keys)]
    for name, count in SETS[search].items():
        images = open_images(name)
        reader = Reader(images, tokenizer, CodeCache(":memory:"))
        for place in range(count):
            if search == "template":
                for number, mark in enumerate(marks):
                    reader.seek([mark.key])
                    codes = np.stack([row for _, row in reader.views(place, views)])
                    yield trial(codes, mark.score(codes).green, decoys_of(mark, DECOYS, f"{name}/{place}/{number}"), 1)
                continue
            codes = np.stack([row for _, row in reader.views(place, views)])
            scores = decoys_of(marks[0], DECOYS + keys, f"{name}/{place}").scores(codes)
            kept = Kept(scores[:, :DECOYS])
            yield from (trial(codes, scores[:, DECOYS + number], kept, len(views) - 1) for number in range(keys))


def read(file: Path) -> list[dict[str, Any]]:
    """Rows of the other search."""
    if not file.exists():
        return []
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("search", choices=["template", "flip,shifts"])
    parser.add_argument("--keys", type=int, default=200)
    asked = parser.parse_args()
    file = OUT / "watermark-search.csv"
    rows = [row for row in read(file) if row["search"] != asked.search]
    found = np.array(list(trials(asked.search, asked.keys)))
    for level in LEVELS:
        for by, p in zip(("price", "decoys"), found.T, strict=True):
            called = int((p <= level + 1e-9).sum())
            low, high = clopper_pearson(called, len(p))
            rows.append({
                "search": asked.search, "views": len(read_search(asked.search, CELL)), "p": by, "level": level,
                "keys": asked.keys, "trials": len(p), "called": called, "rate": round(called / len(p), 5),
                "low": round(low, 5), "high": round(high, 5),
            })  # fmt: skip
    write("watermark-search", rows)


if __name__ == "__main__":
    main()
