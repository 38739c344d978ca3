"""Shifts, rolls, mirrors, crops and turns in both directions: marked and then edited, edited and then marked.

    python benchmarks/tables/watermark_geometry.py --photos 6:10 --held FOLDER --rows ROWS.csv
    python benchmarks/tables/watermark_geometry.py --photos 10:16 --held FOLDER --rows ROWS.csv
    python benchmarks/tables/watermark_geometry.py --photos 6:16 --held FOLDER --unmarked 100

Leaves watermark-geometry.csv beside this script, of all rows so far. Photographs (those of watermark_peers.py; from the
seventh on they chose no setting) are marked at their own size through world-vq:128 at 40 dB, with a list for each place.
Log10 p is of the image as it is, by the default search, and with --exhaustive by the search named in the row, each at its
price. --unmarked leaves watermark-geometry-unmarked.csv: how often the unmarked photographs are called after each edit,
under so many keys, as they are and by the default search.
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
from evalkit.images.geometry import fit_square
from evalkit.images.sample import Pixels
from evalkit.stats.shares import clopper_pearson
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.attacks.spelling import Options, read_attacks
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.detection.scan import Scanner
from evalkit.watermark.detection.search import TEMPLATED, prices, read_search
from evalkit.watermark.detection.viewed import FINER, possible, viewed
from evalkit.watermark.detection.views import View
from evalkit.watermark.embed.nudge import Nudge
from evalkit.watermark.identity import PREPARE
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.watermark.robustness import TokenMark
from evalkit.watermark.template.pose import Spectrum, pose_in

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
    """One photograph after one edit: log10 of p, unsearched, by the default search, and by an exhaustive one."""

    photo: str
    held_out: bool
    order: str
    edit: str
    plain: float
    searched: float
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
            plain, found = (detector.log10_p(image, how) for how in ("none", TEMPLATED))
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
            "searched": [row.searched for row in mine],
            "exhaustive": [float(row.exhaustive) for row in tried],
            "searched_of_the_same": [row.searched for row in tried],
        }
        told: dict[str, object] = {
            "photographs": "held out" if key[0] else "chosen on", "order": key[1], "edit": key[2], "images": len(mine),
            "exhaustive_search": EDITS[key[2]], "exhaustive_images": len(tried),
        }  # fmt: skip
        for name, values in logs.items():
            told[f"found_{name}"] = sum(value <= np.log10(ALPHA) + 1e-9 for value in values) if values else ""
            told[f"median_log10_p_{name}"] = round(float(np.median(values)), 1) if values else ""
        yield told


def called(detector: Detector, photos: Sequence[Pixels], keys: int) -> Iterator[dict[str, object]]:
    """Of unmarked photographs, a row for each edit: p under keys that marked nothing, unsearched and by the default search."""
    tokenizer, rng = detector.tokenizer, np.random.default_rng(23)
    marks = [mark_for(MarkSpec("places"), Key(rng.bytes(32)), tokenizer) for _ in range(keys)]
    views = (View(), *read_search(TEMPLATED, CELL))
    price = dict(zip(views, np.log(prices(views[1:])), strict=True))
    for edit in EDITS:
        (attack,) = read_attacks([edit], Options())
        logs, posed = [], 0
        for photo in photos:
            image = attack.apply(photo, 0)
            spectrum, side = Spectrum.of(image), tokenizer.native_size
            square, fine = (fit_square(image, n * side, PREPARE) for n in (1, FINER))
            own = None
            for mark in marks:
                pose = pose_in(spectrum, [mark.key])
                tried = possible(views if own is None else views[1:], pose)
                seen = dict(viewed(tried, square, fine, pose, tokenizer.encode, 32)) if tried else {}
                own = seen.get(View(), own)
                seen[View()] = own
                log_p = mark.score(np.stack(list(seen.values()))).log_p
                tails = dict(zip(seen, log_p, strict=True))
                logs.append((tails[View()], min(0.0, *(tails[view] + price[view] for view in seen))))
                posed += pose is not None
        found: dict[str, object] = {
            "edit": edit,
            "photographs": len(photos),
            "keys": keys,
            "trials": len(logs),
            "peaks": posed,
        }
        for level in (0.01, ALPHA):
            for name, values in zip(("unsearched", "searched"), np.array(logs).T, strict=True):
                hits = int((values <= np.log(level) + 1e-9).sum())
                low, high = clopper_pearson(hits, len(values))
                found[f"{name}_at_{level:g}"] = round(hits / len(values), 5)
                found |= {f"{name}_low_at_{level:g}": round(low, 5), f"{name}_high_at_{level:g}": round(high, 5)}
        yield found


def read_rows(path: Path) -> list[Edited]:
    """The lines of earlier pieces."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            Edited(
                row["photo"], row["held_out"] == "True", row["order"], row["edit"], float(row["plain"]),
                float(row["searched"]), row["exhaustive"],
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
    parser.add_argument(
        "--unmarked", type=int, default=0, metavar="KEYS", help="count calls of unmarked photographs instead"
    )
    asked = parser.parse_args()
    first, last = map(int, asked.photos.split(":"))
    detector, done = Detector(), read_rows(asked.rows)
    if asked.unmarked:
        photos = [photo for _, _, photo in photographs(asked.held)[first:last]]
        write(OUT / "watermark-geometry-unmarked.csv", list(called(detector, photos, asked.unmarked)))
        return
    known = {row.photo for row in done}
    for name, held_out, photo in photographs(asked.held)[first:last]:
        if name not in known:
            done += measured(detector, name, held_out, photo, exhaustive=asked.exhaustive)
            write(asked.rows, [asdict(row) for row in done])
            print(name, flush=True)
    write(OUT / "watermark-geometry.csv", list(table(done)))


if __name__ == "__main__":
    main()
