"""Shifts, rolls, mirrors, crops and turns in both directions: marked and then edited, edited and then marked.

    python benchmarks/tables/watermark_geometry.py

Leaves watermark-geometry.csv beside this script. Three photographs of sample/photos are marked at their own size through
world-vq:128 at 40 dB, with a list for each place. Median log10 p is of the image as it is, and
of the search named in the row, which is paid for whether it is needed or not.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from evalkit.images import open_images
from evalkit.images.sample import Pixels, Sample
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.attacks.base import Attack
from evalkit.watermark.attacks.spelling import Options, read_attacks
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.detection.scan import Scanner
from evalkit.watermark.detection.search import read_search
from evalkit.watermark.embed.nudge import Nudge
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.watermark.robustness import TokenMark

OUT = Path(__file__).parent
PHOTOS = ("astronaut", "cat", "coffee")
KEY, CELL, ALPHA = Key(bytes(range(32))), 8, 1e-3
EDITS = {  # what is done, and the search that undoes it
    "png": "shifts",
    "shift:32": "shifts", "shift:-32": "shifts", "shift:0:-32": "shifts",
    "shift:7:5": "shifts", "shift:-7:-5": "shifts",
    "roll:32:32": "shifts", "roll:-32:-32": "shifts", "roll:7:-5": "shifts",
    "flip": "flip", "flip:vertical": "flip/angles:180", "flip+shift:7:5": "flip/shifts",
    "cut:0.9:centre": "scales:0.9/shifts", "cut:0.9:corner": "scales:0.9/shifts", "crop:0.9:corner": "scales:0.9/shifts",
    "crop:0.8:centre": "scales:0.8/shifts", "scale:0.5": "shifts", "scale:2": "shifts",
    "rotate:2": "angles:-2/shifts", "rotate:-2": "angles:2/shifts",
}  # fmt: skip


def measured() -> Iterator[dict[str, str | float | int]]:
    """A row for each edit and order."""
    tokenizer = load_tokenizer("world-vq:128", device="cpu")
    read = (each for each in open_images("sample/photos").read(0, 100) if isinstance(each, Sample))
    photos = [each.image for each in read if any(name in each.id for name in PHOTOS)]
    mark = mark_for(MarkSpec("places"), KEY, tokenizer)
    contender = TokenMark(mark, tokenizer, nudge=Nudge())
    marked = [contender.mark([each], ["a"])[0] for each in photos]
    reader = Detector(mark, contender)
    for name, search in EDITS.items():
        (edit,) = read_attacks([name], Options())
        orders = {
            "marked, then edited": edited(edit, marked),
            "edited, then marked": [contender.mark([each], ["a"])[0] for each in edited(edit, photos)],
        }
        for order, images in orders.items():
            plain, searched = (np.array([reader.log10_p(x, how) for x in images]) for how in ("none", search))
            yield {
                "method": mark.method, "order": order, "edit": name, "search": search, "images": len(images),
                "found": int((plain <= np.log10(ALPHA)).sum()), "median_log10_p": round(float(np.median(plain)), 1),
                "found_by_search": int((searched <= np.log10(ALPHA)).sum()),
                "median_log10_p_search": round(float(np.median(searched)), 1),
            }  # fmt: skip


class Detector:
    """Files looked at as `evalkit watermark detect` does."""

    def __init__(self, mark: Mark, contender: TokenMark) -> None:
        self.mark, self.tokenizer = mark, contender.tokenizer

    def log10_p(self, image: Pixels, search: str) -> float:
        """By a search whose views are all tried."""
        views = read_search(search, CELL)
        with tempfile.TemporaryDirectory() as folder:
            Image.fromarray(image).save(Path(folder) / "a.png")
            reader = Reader(open_images(folder), self.tokenizer, CodeCache(":memory:"))
            return float(Scanner(reader, self.mark, views, 1e-12).scan([0]).log_p[0] / np.log(10))


def edited(edit: Attack, images: Sequence[Pixels]) -> list[Pixels]:
    """The images after the edit."""
    return [edit.apply(image, seed) for seed, image in enumerate(images)]


def main() -> None:
    """Measure and write."""
    with (OUT / "watermark-geometry.csv").open("w", newline="") as file:
        writer = None
        for row in measured():
            writer = writer or csv.DictWriter(file, list(row))
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)
            file.flush()


if __name__ == "__main__":
    main()
