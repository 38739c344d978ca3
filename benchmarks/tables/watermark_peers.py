"""evalkit beside invisible-watermark and blind-watermark on photographs, at each peer's own PSNR against the user's file.

    pip install invisible-watermark blind-watermark
    python benchmarks/tables/watermark_peers.py --photos 0:4 --held FOLDER --rows ROWS.csv
    python benchmarks/tables/watermark_peers.py --photos 4:20 --held FOLDER --rows ROWS.csv

Leaves watermark-peers.csv beside this script, and docs/images/watermark-peers.svg, of all rows so far. Every photograph is
marked at its own size by each peer, and by evalkit (world-vq:128, places, by pixels) with as many dB as that peer left of
the same file. All are attacked alike; found means p at most 1e-3. evalkit looks at an image as it is (`evalkit, unsearched`),
and as `detect` does by default (`evalkit`), at the price of all views. The first six photographs of sample/photos chose
evalkit's settings; the other three and those of FOLDER are held out: motorcycle_left and coins of scikit-image, grace_hopper
of matplotlib, quokka of imgaug and face of scipy 1.11. ROWS.csv holds a line for each test, so that pieces add up; without
lines of evalkit its part is measured again, beside the lines of peers that are there.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
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
from evalkit.watermark.detection.search import TEMPLATED, prices, read_search
from evalkit.watermark.detection.views import View
from evalkit.watermark.embed.nudge import Nudge
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.watermark.robustness import PEERS, TokenMark, load_peer

OUT = Path(__file__).parent
FIGURE = OUT.parents[1] / "docs" / "images" / "watermark-peers.svg"
ATTACKS = (
    "png", "jpeg:90", "jpeg:75", "jpeg:50", "jpeg:30", "resize:0.5", "noise:0.05", "blur:2", "brightness:1.3",
    "contrast:1.3", "flip", "shift:7:5", "shift:-7:-5", "cut:0.9", "crop:0.85", "rotate:2",
)  # fmt: skip
SEARCHES = {"evalkit, unsearched": "none", "evalkit": TEMPLATED}
COLOURS = {"peer": "#c0392b", **dict(zip(SEARCHES, ("#95a5a6", "#2c6fbb"), strict=True))}
CHOSEN = 6  # first photographs of sample/photos
ALPHA, CELL, KEY = 1e-3, 8, Key(bytes(range(32)))


@dataclass(frozen=True)
class Tested:
    """One marked photograph after one attack: log10 of p."""

    photo: str
    held_out: bool
    peer: str
    contender: str
    attack: str
    log10_p: float
    psnr: float
    ssim: float


class Ours:
    """evalkit's mark and detector."""

    def __init__(self) -> None:
        self.tokenizer = load_tokenizer("world-vq:128", device="cpu")
        self.mark = mark_for(MarkSpec("places"), KEY, self.tokenizer)
        self.views = read_search(TEMPLATED, CELL)

    def marked(self, image: Pixels, level: float) -> Pixels:
        """With at least so many dB against the file."""
        return TokenMark(self.mark, self.tokenizer, nudge=Nudge(psnr=level, levels=32)).mark([image], ["a"])[0]

    def log10_p(self, image: Pixels) -> dict[str, float]:
        """By each search, as `evalkit watermark detect --decide exact` finds it in a file, at the price of all its views."""
        with tempfile.TemporaryDirectory() as folder:
            Image.fromarray(image).save(Path(folder) / "a.bmp")
            reader = Reader(open_images(folder), self.tokenizer, CodeCache(":memory:"))
            reader.seek([KEY])
            views = list(reader.views(0, [View(), *self.views]))
        logs = self.mark.score(np.stack([codes for _, codes in views])).log_p / np.log(10)
        found = {}
        for name, search in SEARCHES.items():
            tried = read_search(search, CELL)
            price = dict(zip((View(), *tried), np.log10(prices(tried)), strict=True))
            seen = [log + price[view] for (view, _), log in zip(views, logs, strict=True) if view in price]
            found[name] = float(min([0.0, *seen]))
        return found


def photographs(folder: str | None) -> list[tuple[str, bool, Pixels]]:
    """(name, whether it is held out, pixels) of all photographs."""
    found = [(each.id, at >= CHOSEN, each.image) for at, each in enumerate(samples("sample/photos"))]
    return found + ([] if folder is None else [(each.id, True, each.image) for each in samples(folder)])


def samples(source: str) -> list[Sample]:
    """The images of a set."""
    images = open_images(source)
    return [each for each in images.read(0, len(images)) if isinstance(each, Sample)]


def tested(ours: Ours, given: tuple[str, bool, Pixels], peer_name: str, done: Sequence[Tested]) -> list[Tested]:
    """What is missing of a photograph (name, held out, pixels) that a peer marks, and as well evalkit."""
    name, held_out, photo = given
    theirs = [row for row in done if (row.photo, row.peer, row.contender) == (name, peer_name, peer_name)]
    mine = [row for row in done if (row.photo, row.peer, row.contender) == (name, peer_name, "evalkit")]
    attacks = read_attacks(ATTACKS, Options())
    new: list[Tested] = []
    if not theirs:
        peer = load_peer(peer_name, None, 0)
        marked = whole(peer.mark([photo], ["a"])[0], photo)
        quality = psnr(mse(marked, photo)), ssim(marked, photo)
        for attack in attacks:
            log_p = peer.log_p([sized(attack.apply(marked, 0), photo)])[0] / np.log(10)
            new.append(Tested(name, held_out, peer_name, peer_name, attack.name, float(log_p), *quality))
    if not mine:
        marked = ours.marked(photo, (theirs or new)[0].psnr)
        quality = psnr(mse(marked, photo)), ssim(marked, photo)
        for attack in attacks:
            for how, found in ours.log10_p(attack.apply(marked, 0)).items():
                new.append(Tested(name, held_out, peer_name, how, attack.name, found, *quality))
    return new


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
    """A row for each set of photographs, peer, contender and attack."""
    found = []
    for key in dict.fromkeys((row.held_out, row.peer, row.contender, row.attack) for row in rows):
        mine = [row for row in rows if (row.held_out, row.peer, row.contender, row.attack) == key]
        logs = np.array([row.log10_p for row in mine])
        found.append({
            "photographs": "held out" if key[0] else "chosen on", "at_psnr_of": key[1], "contender": key[2],
            "attack": key[3], "images": len(mine), "psnr": round(float(np.mean([row.psnr for row in mine])), 2),
            "ssim": round(float(np.mean([row.ssim for row in mine])), 4),
            "found": int((logs <= np.log10(ALPHA) + 1e-9).sum()), "median_log10_p": round(float(np.median(logs)), 2),
        })  # fmt: skip
    return found


def figure(rows: Sequence[Mapping[str, Any]]) -> str:
    """SVG of the share of held-out photographs found by attack, a panel for each peer."""
    wide, high, left, step = 480, 345, 40, 26
    parts = []
    for number, peer in enumerate(PEERS):
        of_peer = [row for row in rows if row["at_psnr_of"] == peer and row["photographs"] == "held out"]
        if not of_peer:
            continue
        level = np.mean([float(row["psnr"]) for row in of_peer if row["contender"] == peer])
        x0, y0 = number % 2 * wide, number // 2 * high
        title = f"at the PSNR of {peer}: {level:.1f} dB"
        parts.append(f'<text x="{x0 + left}" y="{y0 + 18}" font-weight="bold">{title}</text>')
        for place, attack in enumerate(ATTACKS):
            x, y = x0 + left + place * step, y0 + 260
            parts.append(f'<text transform="translate({x},{y}) rotate(60)" font-size="11">{attack}</text>')
        for share in (0, 0.5, 1):
            y = y0 + 245 - round(180 * share)
            parts.append(f'<path d="M{x0 + left} {y}h{step * (len(ATTACKS) - 1)}" stroke="#ccc"/>')
            parts.append(f'<text x="{x0 + left - 8}" y="{y + 4}" text-anchor="end" font-size="11">{share:g}</text>')
        for at, (name, colour) in enumerate(COLOURS.items()):
            mine = [row for row in of_peer if row["contender"] == (peer if name == "peer" else name)]
            shares = [row["found"] / row["images"] for row in mine]
            points = " ".join(f"{x0 + left + i * step},{y0 + 245 - 180 * v:.1f}" for i, v in enumerate(shares))
            look = f'fill="none" stroke="{colour}" stroke-width="{5 - at}"'
            parts.append(f'<polyline points="{points}" {look}/>')
            where, said = (
                f'x="{x0 + left + at % 2 * 150}" y="{y0 + 36 + at // 2 * 15}"',
                peer if name == "peer" else name,
            )
            parts.append(f'<text {where} fill="{colour}" font-size="12">{said}</text>')
    size = f'viewBox="0 0 {2 * wide} {2 * high}" font-family="sans-serif" font-size="13"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><path d="M0 0h960v690H0z" fill="#fff"/>{"".join(parts)}</svg>\n'


def read_rows(path: Path) -> list[Tested]:
    """The lines of earlier pieces."""
    if not path.exists():
        return []
    kinds = {"held_out": lambda text: text == "True", "log10_p": float, "psnr": float, "ssim": float}
    with path.open(newline="") as file:
        return [Tested(**{k: kinds.get(k, str)(v) for k, v in row.items()}) for row in csv.DictReader(file)]


def main() -> None:
    """Measure some photographs, and write what all pieces say after every photograph and peer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="*", choices=[*PEERS, []], help="[all]")
    parser.add_argument("--photos", default="0:100", help="which, as FIRST:LAST")
    parser.add_argument("--held", help="a folder of more photographs")
    parser.add_argument("--rows", type=Path, default=Path("watermark-peers-rows.csv"))
    asked = parser.parse_args()
    first, last = map(int, asked.photos.split(":"))
    ours, done = Ours(), read_rows(asked.rows)
    photos = photographs(asked.held)[first:last]
    for peer in asked.peers or PEERS:
        for given in sorted(photos, key=lambda each: each[2].size):
            new = tested(ours, given, peer, done)
            done += new
            if new:
                write(asked.rows, [asdict(row) for row in done])
                print(given[0], peer, round(new[0].psnr, 2), flush=True)
    written = table(done)
    write(OUT / "watermark-peers.csv", written)
    FIGURE.write_text(figure(written))


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A CSV file."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [each.name for each in fields(Tested)])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
