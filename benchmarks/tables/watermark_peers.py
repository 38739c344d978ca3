"""evalkit beside invisible-watermark and blind-watermark on photographs, at each peer's own PSNR against the user's file.

    pip install invisible-watermark blind-watermark
    python benchmarks/tables/watermark_peers.py
    python benchmarks/tables/watermark_peers.py --part search --photos 3

Leaves watermark-peers.csv and watermark-peers-search.csv beside this script, and docs/images/watermark-peers.svg. Every
photograph of sample/photos is marked at its own size by each peer, and by evalkit (world-vq:128, places, by pixels) with
as many dB as that peer left of the same file. All are attacked alike; found means p at most 1e-3. evalkit is tested as it
is, with `--search light`, and in the second part, at rivaGan's PSNR, with a search for geometry, which is slow.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from evalkit.images import open_images
from evalkit.images.sample import Pixels, Sample
from evalkit.metrics.psnr import mse, psnr
from evalkit.metrics.ssim import ssim
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.attacks.spelling import Options, read_attacks
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.detection.scan import Scanner
from evalkit.watermark.detection.search import read_search
from evalkit.watermark.embed.nudge import Nudge
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.watermark.robustness import PEERS, TokenMark, load_peer

OUT = Path(__file__).parent
FIGURE = OUT.parents[1] / "docs" / "images" / "watermark-peers.svg"
ATTACKS = (
    "png", "jpeg:90", "jpeg:75", "jpeg:50", "jpeg:30", "resize:0.5", "noise:0.05", "blur:2", "brightness:1.3",
    "contrast:1.3", "flip", "shift:7:5", "cut:0.9", "crop:0.85", "rotate:2",
)  # fmt: skip
WHOLE = "flip,light,shifts,angles:-2+2/shifts,scales:0.95+0.9+0.85+0.8/shifts"
COLOURS, DASHES = ("#c0392b", "#1a7a4c", "#2c6fbb", "#8e44ad"), ("7 4", "none", "none", "none")
ALPHA, CELL, KEY = 1e-3, 8, Key(bytes(range(32)))


@dataclass(frozen=True)
class Tested:
    """One marked photograph after one attack: natural log of p."""

    peer: str
    marked_by: str
    attack: str
    log_p: float
    psnr: float
    ssim: float


class Ours:
    """evalkit's mark and detector."""

    def __init__(self) -> None:
        self.tokenizer = load_tokenizer("world-vq:128", device="cpu")
        self.mark = mark_for(MarkSpec("places"), KEY, self.tokenizer)
        self.views = {
            "evalkit": (), "evalkit, light": read_search("light", CELL), "evalkit, search": read_search(WHOLE, CELL)
        }  # fmt: skip

    def marked(self, image: Pixels, level: float) -> Pixels:
        """With at least so many dB against the file."""
        return TokenMark(self.mark, self.tokenizer, nudge=Nudge(psnr=level, levels=32)).mark([image], ["a"])[0]

    def log_p(self, image: Pixels, how: str) -> float:
        """As `evalkit watermark detect` finds it in a file."""
        with tempfile.TemporaryDirectory() as folder:
            Image.fromarray(image).save(Path(folder) / "a.png")
            reader = Reader(open_images(folder), self.tokenizer, CodeCache(":memory:"))
            return float(Scanner(reader, self.mark, self.views[how], ALPHA).scan([0]).log_p[0])


def tested(ours: Ours, photo: Pixels, seed: int, name: str, detectors: Sequence[str]) -> Iterator[Tested]:
    """A photograph, marked by a peer and as well by evalkit, after every attack."""
    peer = load_peer(name, None, seed)
    theirs = whole(peer.mark([photo], ["a"])[0], photo)
    mine = ours.marked(photo, psnr(mse(theirs, photo)))
    quality = {each: (psnr(mse(x, photo)), ssim(x, photo)) for each, x in (("peer", theirs), ("ours", mine))}
    print(seed, name, {each: tuple(round(v, 3) for v in values) for each, values in quality.items()}, flush=True)
    for attack in read_attacks(ATTACKS, Options()):
        edited = attack.apply(mine, seed)
        for how in detectors:
            if how == name:
                found = float(peer.log_p([sized(attack.apply(theirs, seed), photo)])[0])
                yield Tested(name, name, attack.name, found, *quality["peer"])
            else:
                yield Tested(name, how, attack.name, ours.log_p(edited, how), *quality["ours"])


def whole(marked: Pixels, photo: Pixels) -> Pixels:
    """The marked image, with the rows and columns that a peer cut off."""
    found = photo.copy()
    found[: marked.shape[0], : marked.shape[1]] = marked
    return found


def sized(image: Pixels, photo: Pixels) -> Pixels:
    """At the photograph's size, which peers need."""
    if image.shape == photo.shape:
        return image
    return np.asarray(Image.fromarray(image).resize((photo.shape[1], photo.shape[0]), Image.Resampling.BICUBIC))


def table(rows: Sequence[Tested]) -> list[dict[str, Any]]:
    """A row for each pair, way to detect and attack."""
    found = []
    for key in dict.fromkeys((row.peer, row.marked_by, row.attack) for row in rows):
        mine = [row for row in rows if (row.peer, row.marked_by, row.attack) == key]
        logs = np.array([row.log_p for row in mine]) / np.log(10)
        found.append({
            "at_psnr_of": key[0], "contender": key[1], "attack": key[2], "images": len(mine),
            "psnr": round(float(np.mean([row.psnr for row in mine])), 2),
            "ssim": round(float(np.mean([row.ssim for row in mine])), 4),
            "found": round(float(np.mean(logs <= np.log10(ALPHA))), 3), "median_log10_p": round(float(np.median(logs)), 2),
        })  # fmt: skip
    return found


def figure(rows: Sequence[dict[str, Any]]) -> str:
    """SVG of the share found by attack, a panel for each peer."""
    wide, high, left, step = 480, 330, 40, 27
    parts = []
    for number, peer in enumerate(PEERS):
        of_peer = [row for row in rows if row["at_psnr_of"] == peer]
        level = np.mean([float(row["psnr"]) for row in of_peer if row["contender"] == peer])
        x0, y0 = number % 2 * wide, number // 2 * high
        parts.append(
            f'<text x="{x0 + left}" y="{y0 + 18}" font-weight="bold">at the PSNR of {peer}: {level:.1f} dB</text>'
        )
        for place, attack in enumerate(ATTACKS):
            x, y = x0 + left + place * step, y0 + 245
            parts.append(f'<text transform="translate({x},{y}) rotate(60)" font-size="11">{attack}</text>')
        for share in (0, 0.5, 1):
            y = y0 + 230 - round(180 * share)
            parts.append(f'<path d="M{x0 + left} {y}h{step * (len(ATTACKS) - 1)}" stroke="#ccc"/>')
            parts.append(f'<text x="{x0 + left - 8}" y="{y + 4}" text-anchor="end" font-size="11">{share:g}</text>')
        for at, name in enumerate(dict.fromkeys(str(row["contender"]) for row in of_peer)):
            found = [float(row["found"]) for row in of_peer if row["contender"] == name]
            points = " ".join(f"{x0 + left + i * step},{y0 + 230 - 180 * v:.1f}" for i, v in enumerate(found))
            look = f'fill="none" stroke="{COLOURS[at]}" stroke-width="{5 - at}" stroke-dasharray="{DASHES[at]}"'
            parts.append(f'<polyline points="{points}" {look}/>')
            parts.append(
                f'<text x="{x0 + left + at * 105}" y="{y0 + 36}" fill="{COLOURS[at]}" font-size="12">{name}</text>'
            )
    size = f'viewBox="0 0 {2 * wide} {2 * high}" font-family="sans-serif" font-size="13"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><path d="M0 0h960v660H0z" fill="#fff"/>{"".join(parts)}</svg>\n'


def main() -> None:
    """Measure one part, and write after every photograph and peer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["compare", "search"], default="compare")
    parser.add_argument("--photos", type=int, default=9)
    asked = parser.parse_args()
    read = open_images("sample/photos").read(0, asked.photos)
    photos = [each.image for each in read if isinstance(each, Sample)]
    compared = asked.part == "compare"
    names, name = (list(PEERS), "watermark-peers") if compared else (["rivaGan"], "watermark-peers-search")
    ours = Ours()
    done: list[Tested] = []
    for at, peer in itertools.product(range(len(photos)), names):
        detectors = (peer, "evalkit", "evalkit, light") if compared else ("evalkit, search",)
        done += tested(ours, photos[at], at, peer, detectors)
        write(name, table(done))
        if compared and at:
            FIGURE.write_text(figure(table(done)))


def write(name: str, rows: Sequence[dict[str, Any]]) -> None:
    """A CSV file beside this script."""
    with (OUT / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
