"""How often a search calls images that carry no mark: by a price for each view, and by decoy keys in the same views.

    python benchmarks/tables/watermark_search.py [SEARCH ...]

Leaves watermark-search.csv beside this script. Null images are three photographs and a texture of the sample set (one
photograph fewer and no texture with a template) under world-vq:128, places. 200 keys meet every image, beside 999 decoys.
Views of most searches have codes that are the same for all keys, so that keys are further decoys of the same seed. The
pose of a `template` follows from the key, where it has one. An image is one trial
for each key, and trials of an image share its views, so that intervals are a little too narrow.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from watermark_world import read, write

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

SEARCHES = (
    "template", "flip", "offsets", "rolls", "scales", "angles", "gains", "contrasts", "shifts", "crops", "turns", "light",
    "flip,shifts", "template,template/light",
)  # fmt: skip
SETS = {"sample/photos": 3, "sample/textures": 1}  # images of each
POSED = {"sample/photos": 2}  # of searches with a template
CELL, DECOYS, GAMMA, LEVELS = 8, 999, 0.5, (0.01, 0.001)
Ints = npt.NDArray[np.int64]


class Kept(Decoys):
    """Scores of decoys of codes that are looked at again under every key."""

    def __init__(self, scores: Ints) -> None:
        self.keys, self._scores = scores.shape[1], scores

    def scores(self, codes: Ints) -> Ints:
        """Of the image itself (one row), or of all its views."""
        return self._scores[:1] if len(codes) == 1 else self._scores[1:]


def trial(codes: Ints, greens: Ints, decoys: Decoys, price: npt.NDArray[np.float64]) -> tuple[float, float]:
    """(p by `price`, p by rank) of one image's views, itself first, of which `greens` are the real key's counts."""
    tails = binomial_log_tail(greens, (codes >= 0).sum(1), GAMMA) + np.log(price)
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
    posed, cost = any(view.template for view in views), prices(views[1:])
    for name, count in (POSED if posed else SETS).items():
        images = open_images(name)
        reader = Reader(images, tokenizer, CodeCache(":memory:"))
        for place in range(count):
            if posed:
                for number, mark in enumerate(marks):
                    reader.seek([mark.key])
                    seen = list(reader.views(place, views))  # none by a template that is not there
                    codes, price = np.stack([row for _, row in seen]), cost[[views.index(view) for view, _ in seen]]
                    decoys = decoys_of(mark, DECOYS, f"{name}/{place}/{number}")
                    yield trial(codes, mark.score(codes).green, decoys, price)
                continue
            codes = np.stack([row for _, row in reader.views(place, views)])
            scores = decoys_of(marks[0], DECOYS + keys, f"{name}/{place}").scores(codes)
            kept = Kept(scores[:, :DECOYS])
            yield from (trial(codes, scores[:, DECOYS + number], kept, cost) for number in range(keys))


def rates(search: str, keys: int) -> Iterator[dict[str, Any]]:
    """A row for each level, by prices and by decoys."""
    found = np.array(list(trials(search, keys)))
    for level in LEVELS:
        for by, p in zip(("price", "decoys"), found.T, strict=True):
            called = int((p <= level + 1e-9).sum())
            low, high = clopper_pearson(called, len(p))
            yield {
                "search": search, "views": len(read_search(search, CELL)), "p": by, "level": level, "keys": keys,
                "trials": len(p), "called": called, "rate": round(called / len(p), 5), "low": round(low, 5),
                "high": round(high, 5),
            }  # fmt: skip


def main() -> None:
    """Measure the searches that are named, or all, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("searches", nargs="*", choices=[*SEARCHES, []], default=list(SEARCHES))
    parser.add_argument("--keys", type=int, default=200)
    asked = parser.parse_args()
    for search in asked.searches:
        kept = [row for row in read("watermark-search") if row["search"] != search]
        rows = [*kept, *rates(search, asked.keys)]
        write("watermark-search", sorted(rows, key=lambda row: SEARCHES.index(row["search"])))


if __name__ == "__main__":
    main()
