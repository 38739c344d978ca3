"""What removal costs: how far each attack must change marked photographs until the detector calls them no longer.

The nine photographs of sample/photos and three textures, their middle square at 256 px, are marked by each contender:
evalkit by pixels at 40 dB (world-vq:128, 256 codes, no template), and peers at the PSNR that is their own. Attacks of a
kind come at several strengths; `psnr` is what they cost against the marked image, `found` the share of images with p at
most 1e-3. So kinds are compared at equal PSNR: `watermark-removal.csv` has a row for each strength,
`watermark-removal-equal.csv` the share found at 38, 34, 30 and 26 dB, on straight lines between strengths (1 where no
change is made; empty beyond the strongest). White box: `adversarial` and `removal` know the tokenizer, and the latter the
list (of `places` one for each place, which no list of codes removes: there it takes that of the first place).

Run: python benchmarks/tables/watermark_removal.py [CONTENDER ...]  (also writes docs/images/watermark-removal.svg)
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from watermark_world import write

from evalkit.images import open_images
from evalkit.images.geometry import resize_exact
from evalkit.images.sample import Pixels, Sample
from evalkit.metrics.psnr import mse, psnr
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.attacks.adversarial import Adversarial
from evalkit.watermark.attacks.base import Attack
from evalkit.watermark.attacks.regenerate import Retokenize
from evalkit.watermark.attacks.spelling import Options, read_attacks
from evalkit.watermark.attacks.swap import removal
from evalkit.watermark.embed.nudge import Nudge
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.watermark.robustness import TokenMark, load_peer
from evalkit.watermark.robustness.contenders import Contender

OUT = Path(__file__).parent
FIGURE = OUT.parents[1] / "docs" / "images" / "watermark-removal.svg"
SIDE, ALPHA, KEY, LEVEL = 256, 1e-3, Key(bytes(range(32))), 40.0
EQUAL = (38, 34, 30, 26)  # dB
MARKS = {
    "places": MarkSpec("places"),
    "clusters": MarkSpec("clusters", clusters=128),
    "lbw": MarkSpec("lbw"),
    "payload, 16 bits": MarkSpec("payload", layout="id:16", carrier="places", message="0xBEEF"),
}
PEERS = ("dwtDct", "rivaGan", "blind-watermark")
KINDS: dict[str, tuple[str, ...]] = {
    "JPEG": tuple(f"jpeg:{each}" for each in (90, 70, 50, 30, 15)),
    "noise": tuple(f"noise:{each}" for each in (0.01, 0.02, 0.04, 0.08)),
    "blur": tuple(f"blur:{each}" for each in (0.5, 0.8, 1.2, 2)),
    "resizing": tuple(f"resize:{each}" for each in (0.7, 0.5, 0.35, 0.2)),
}
PASSES = (1, 2)  # through a tokenizer
EPS = (2, 4, 8)  # levels that PGD may change a value by, in 20 steps
FRACTIONS = (0.1, 0.25, 0.5, 1.0)  # of green codes that whoever has the list exchanges
COLOURS = {
    "JPEG": "#c0392b", "noise": "#2c6fbb", "blur": "#1a7a4c", "resizing": "#e08e0b", "retokenizing": "#7d3c98",
    "PGD": "#222222", "list known": "#e056a0",
}  # fmt: skip


def squares() -> list[Pixels]:
    """Middle squares of the photographs and textures."""
    found = []
    for name in ("sample/photos", "sample/textures"):
        images = open_images(name)
        for each in images.read(0, len(images)):
            if isinstance(each, Sample):
                high, wide = each.image.shape[:2]
                side = min(high, wide)
                top, left = (high - side) // 2, (wide - side) // 2
                square = each.image[top : top + side, left : left + side]
                found.append(resize_exact(square, (SIDE, SIDE), "bicubic"))
    return found


def contender(name: str, tokenizer: Tokenizer) -> tuple[Contender, Mark | None]:
    """Something that marks, and its mark where it is of codes."""
    if name in PEERS:
        return load_peer(name, None, 0), None
    mark = mark_for(MARKS[name], KEY, tokenizer)
    return TokenMark(mark, tokenizer, nudge=Nudge(psnr=LEVEL, levels=32, template=0.0), name=name), mark


def attacks(mark: Mark | None, tokenizer: Tokenizer) -> dict[str, Sequence[Attack]]:
    """Kinds of attacks, weakest first; those that know the list where there is one."""
    found: dict[str, Sequence[Attack]] = {kind: read_attacks(each, Options()) for kind, each in KINDS.items()}
    its, told = {"tokenizer": tokenizer.name}, Options()
    found["retokenizing"] = [Retokenize(f"retokenize:{n}", {**its, "passes": n}, told, tokenizer) for n in PASSES]
    found["PGD"] = [Adversarial(f"adversarial:{e}:20", {**its, "eps": e, "steps": 20}, told, tokenizer) for e in EPS]
    if mark is not None:
        green = torch.from_numpy(np.asarray(mark.green_places(mark.list_of("0"), 256)))
        one = green if green.ndim == 1 else green[0]
        found["list known"] = [removal(tokenizer, one, fraction=each) for each in FRACTIONS]
    return found


def row(named: tuple[str, str, str], marks: Contender, marked: Sequence[Pixels], x: Sequence[Pixels]) -> dict[str, Any]:
    """What is found of attacked images `x`."""
    log_p = marks.log_p(x)
    return {
        **dict(zip(("contender", "attack", "strength"), named, strict=True)), "images": len(x),
        "psnr": float(np.mean([psnr(max(mse(a, b), 1e-10)) for a, b in zip(x, marked, strict=True)])),
        "found": float((log_p <= np.log(ALPHA) + 1e-9).mean()),
        "median_log10_p": float(np.median(log_p)) / np.log(10),
    }  # fmt: skip


def curves(name: str, plain: Sequence[Pixels], tokenizer: Tokenizer) -> list[dict[str, Any]]:
    """Rows of a contender, the first without an attack."""
    marks, mark = contender(name, tokenizer)
    marked = marks.mark(plain, ["0"] * len(plain))
    rows = [row((name, "none", ""), marks, marked, marked)]
    rows[0]["psnr"] = float(np.mean([psnr(mse(a, b)) for a, b in zip(plain, marked, strict=True)]))
    for kind, each in attacks(mark, tokenizer).items():
        for number, attack in enumerate(each):
            seeds = list(range(len(marked)))
            strength = f"{FRACTIONS[number]:g}" if kind == "list known" else attack.name
            rows.append(row((name, kind, strength), marks, marked, attack.apply_many(marked, seeds)))
            print(rows[-1], flush=True)
    return rows


def at_equal(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Shares found at equal PSNR, a row for each contender and kind."""
    found = []
    for name, kind in dict.fromkeys((each["contender"], each["attack"]) for each in rows if each["attack"] != "none"):
        (whole,) = [float(each["found"]) for each in rows if (each["contender"], each["attack"]) == (name, "none")]
        mine = [each for each in rows if (each["contender"], each["attack"]) == (name, kind)]
        points = sorted([(float(each["psnr"]), float(each["found"])) for each in mine] + [(60.0, whole)])
        levels, shares = zip(*points, strict=True)
        told = {
            f"at_{level}_db": float(np.interp(level, levels, shares)) if level >= levels[0] else "" for level in EQUAL
        }
        found.append({"contender": name, "attack": kind, "unattacked": whole, **told})
    return found


def figure(rows: Sequence[Mapping[str, Any]]) -> str:
    """SVG: share found by what the attack costs, a panel for each contender."""
    wide, high, parts = 320, 220, []
    names = list(dict.fromkeys(each["contender"] for each in rows))
    for number, name in enumerate(names):
        x0, y0 = number % 3 * wide + 45, number // 3 * high + 30
        parts.append(f'<text x="{x0}" y="{y0 - 10}" font-weight="bold">{name}</text>')
        for share in (0, 0.5, 1):
            parts.append(f'<path d="M{x0} {y0 + 140 - 140 * share}h250" stroke="#ccc"/>')
            parts.append(f'<text x="{x0 - 6}" y="{y0 + 144 - 140 * share}" text-anchor="end">{share:g}</text>')
        for level in (45, 40, 35, 30, 25, 20):
            parts.append(f'<text x="{x0 + 10 * (45 - level)}" y="{y0 + 157}" text-anchor="middle">{level}</text>')
        for kind, colour in COLOURS.items():
            mine = [each for each in rows if (each["contender"], each["attack"]) == (name, kind)]
            points = sorted(((float(each["psnr"]), float(each["found"])) for each in mine), reverse=True)
            line = " ".join(f"{x0 + 10 * (45 - min(max(a, 20), 45)):.0f},{y0 + 140 - 140 * b:.1f}" for a, b in points)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
    x0, y0 = len(names) % 3 * wide + 45, len(names) // 3 * high + 30
    for at, (kind, colour) in enumerate(COLOURS.items()):
        parts.append(f'<text x="{x0}" y="{y0 + 18 * at}" fill="{colour}" font-size="13">{kind}</text>')
    parts.append(f'<text x="{x0}" y="{y0 + 18 * len(COLOURS)}">found, by PSNR of the attack in dB</text>')
    tall = (len(names) // 3 + 1) * high
    size = f'viewBox="0 0 {3 * wide} {tall}" font-family="sans-serif" font-size="11"'
    ground = f'<path d="M0 0h{3 * wide}v{tall}H0z" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{ground}{"".join(parts)}</svg>\n'


def main() -> None:
    """Measure the contenders that are named, or all, and write all rows so far after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contenders", nargs="*", default=[*MARKS, *PEERS])
    file, tokenizer, plain = OUT / "watermark-removal.csv", load_tokenizer("world-vq:128", device="cpu"), squares()
    for name in parser.parse_args().contenders:
        rows: list[dict[str, Any]] = []
        if file.exists():
            with file.open(newline="") as lines:
                rows = [each for each in csv.DictReader(lines) if each["contender"] != name]
        rows += curves(name, plain, tokenizer)
        rows.sort(key=lambda each: [*MARKS, *PEERS].index(each["contender"]))
        write("watermark-removal", rows)
        write("watermark-removal-equal", at_equal(rows))
        FIGURE.write_text(figure(rows))


if __name__ == "__main__":
    main()
