"""Shifts, rolls, mirrors, crops and turns in both directions: marked and then edited, edited and then marked.

    python benchmarks/tables/watermark_geometry.py --photos 6:10 --held FOLDER --rows ROWS.csv
    python benchmarks/tables/watermark_geometry.py --photos 10:16 --held FOLDER --rows ROWS.csv

Leaves watermark-geometry.csv beside this script, of all rows so far. Photographs (those of watermark_peers.py; from the
seventh on they chose no setting) are marked at their own size through world-vq:128 at 40 dB, with a list for each place.
Log10 p is of the image as it is, by the template, and with --exhaustive by the search named in the row, each at its price.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from watermark_peers import photographs, write

from evalkit.images import open_images
from evalkit.images.sample import Pixels
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.attacks.spelling import Options, read_attacks
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.detection.scan import Scanner
from evalkit.watermark.detection.search import read_search
from evalkit.watermark.embed.nudge import Nudge
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.watermark.robustness import TokenMark

OUT = Path(__file__).parent
KEY, CELL, ALPHA = Key(bytes(range(32))), 8, 1e-3
ORDERS = ("marked, then edited", "edited, then marked")
EDITS = {  # what is done, and the exhaustive search that undoes it
    "png": "shifts",
    "shift:32": "shifts", "shift:-32": "shifts", "shift:0:32": "shifts", "shift:0:-32": "shifts",
    "shift:7:5": "shifts", "shift:-7:-5": "shifts", "shift:7:-5": "shifts",
    "roll:32:32": "shifts", "roll:-32:-32": "shifts", "roll:7:-5": "shifts", "roll:-7:5": "shifts",
    "flip": "flip", "flip:vertical": "flip/angles:180", "flip+shift:7:5": "flip/shifts", "flip+shift:-7:-5": "flip/shifts",
    "cut:0.9:centre": "scales:0.9/shifts", "cut:0.9:corner": "scales:0.9/shifts", "crop:0.9:corner": "scales:0.9/shifts",
    "crop:0.8:centre": "scales:0.8/shifts", "crop:0.75:random": "scales:0.75/shifts",
    "scale:0.5": "shifts", "scale:2": "shifts", "rotate:2": "angles:-2/shifts", "rotate:-2": "angles:2/shifts",
}  # fmt: skip


@dataclass(frozen=True)
class Edited:
    """One photograph after one edit: log10 of p, unsearched, by the template, and by an exhaustive search."""

    photo: str
    held_out: bool
    order: str
    edit: str
    plain: float
    template: float
    exhaustive: str  # empty where it was not tried


class Detector:
    """Files marked and looked at as the command line does."""

    def __init__(self) -> None:
        self.tokenizer = load_tokenizer("world-vq:128", device="cpu")
        self.mark = mark_for(MarkSpec("places"), KEY, self.tokenizer)
        self.contender = TokenMark(self.mark, self.tokenizer, nudge=Nudge())

    def marked(self, image: Pixels) -> Pixels:
        """At 40 dB."""
        return self.contender.mark([image], ["a"])[0]

    def log10_p(self, image: Pixels, search: str) -> float:
        """By a search whose views are all tried."""
        with tempfile.TemporaryDirectory() as folder:
            Image.fromarray(image).save(Path(folder) / "a.bmp")
            reader = Reader(open_images(folder), self.tokenizer, CodeCache(":memory:"))
            scan = Scanner(reader, self.mark, read_search(search, CELL), 1e-30).scan([0])
            return float(scan.log_p[0] / np.log(10))


def measured(detector: Detector, name: str, held_out: bool, photo: Pixels, *, exhaustive: bool) -> Iterator[Edited]:
    """A row for each edit and order."""
    marked = detector.marked(photo)
    for edit, search in EDITS.items():
        (attack,) = read_attacks([edit], Options())
        images = (attack.apply(marked, 0), detector.marked(attack.apply(photo, 0)))
        for order, image in zip(ORDERS, images, strict=True):
            plain, found = (detector.log10_p(image, how) for how in ("none", "template"))
            tried = exhaustive and order == ORDERS[0]
            by_search = f"{detector.log10_p(image, search):.3f}" if tried else ""
            yield Edited(name, held_out, order, edit, round(plain, 3), round(found, 3), by_search)


def table(rows: Sequence[Edited]) -> Iterator[dict[str, object]]:
    """A row for each set of photographs, order and edit."""
    for key in dict.fromkeys((row.held_out, row.order, row.edit) for row in rows):
        mine = [row for row in rows if (row.held_out, row.order, row.edit) == key]
        tried = [row for row in mine if row.exhaustive]
        logs = {
            "unsearched": [row.plain for row in mine],
            "template": [row.template for row in mine],
            "exhaustive": [float(row.exhaustive) for row in tried],
            "template_of_the_same": [row.template for row in tried],
        }
        told: dict[str, object] = {
            "photographs": "held out" if key[0] else "chosen on", "order": key[1], "edit": key[2], "images": len(mine),
            "search": EDITS[key[2]], "searched_images": len(tried),
        }  # fmt: skip
        for name, values in logs.items():
            told[f"found_{name}"] = sum(value <= np.log10(ALPHA) + 1e-9 for value in values) if values else ""
            told[f"median_log10_p_{name}"] = round(float(np.median(values)), 1) if values else ""
        yield told


def read_rows(path: Path) -> list[Edited]:
    """The lines of earlier pieces."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            Edited(
                row["photo"], row["held_out"] == "True", row["order"], row["edit"], float(row["plain"]),
                float(row["template"]), row["exhaustive"],
            )
            for row in csv.DictReader(file)
        ]  # fmt: skip


def main() -> None:
    """Measure some photographs, and write what all pieces say after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", default="6:100", help="which, as FIRST:LAST")
    parser.add_argument("--held", help="a folder of more photographs")
    parser.add_argument("--exhaustive", action="store_true", help="also by the search that each edit names")
    parser.add_argument("--rows", type=Path, default=Path("watermark-geometry-rows.csv"))
    asked = parser.parse_args()
    first, last = map(int, asked.photos.split(":"))
    detector, done = Detector(), read_rows(asked.rows)
    known = {row.photo for row in done}
    for name, held_out, photo in photographs(asked.held)[first:last]:
        if name not in known:
            done += measured(detector, name, held_out, photo, exhaustive=asked.exhaustive)
            write(asked.rows, [asdict(row) for row in done])
            print(name, flush=True)
    write(OUT / "watermark-geometry.csv", list(table(done)))


if __name__ == "__main__":
    main()
