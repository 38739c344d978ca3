"""What removal costs: how far each attack must change marked photographs until the detector calls them no longer.

The nine photographs of sample/photos and three textures, their middle square at 256 px, are marked by pixels at 40 dB
(world-vq:128, 256 codes, no template), by methods that photographs carry so. Attacks of a kind come at several strengths;
`psnr` is what they cost against the marked image, `found` the share of images with p at most 1e-3. So kinds are compared at
equal PSNR: `watermark-removal.csv` has a row for each strength, `watermark-removal-equal.csv` the share found at 38, 34, 30
and 26 dB, on straight lines between strengths (empty beyond the weakest and the strongest). PGD and `removal` know the
tokenizer, and the latter the list of the first place.

Run: python benchmarks/tables/watermark_removal.py [METHOD ...] [--draw]  (also writes docs/images/watermark-removal.svg)
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lines_svg import Axis, figure, panel
from watermark_world import read, write

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
from evalkit.watermark.robustness import TokenMark

OUT = Path(__file__).parent
FIGURE = OUT.parents[1] / "docs" / "images" / "watermark-removal.svg"
SIDE, ALPHA, KEY, LEVEL = 256, 1e-3, Key(bytes(range(32))), 40.0
EQUAL = (38, 34, 30, 26)  # dB
MARKS = {
    "places": MarkSpec("places"),
    "payload, 16 bits": MarkSpec("payload", layout="id:16", carrier="places", message="0xBEEF"),
}
KINDS: dict[str, tuple[str, ...]] = {
    "JPEG": tuple(f"jpeg:{each}" for each in (90, 70, 50, 30, 15)),
    "noise": tuple(f"noise:{each}" for each in (0.01, 0.02, 0.04, 0.08)),
    "blur": tuple(f"blur:{each}" for each in (0.5, 0.8, 1.2, 2)),
    "resizing": tuple(f"resize:{each}" for each in (0.7, 0.5, 0.35, 0.2)),
}
PASSES = (1, 2)  # through a tokenizer
EPS = (2, 4, 8)  # levels that PGD may change a value by, in 20 steps
FRACTIONS = (0.1, 0.25, 0.5, 1.0)  # of green codes that whoever has the list exchanges
AXIS = Axis("PSNR of the attack against the marked image, dB", (45, 40, 35, 30, 25, 20))


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


def contender(name: str, tokenizer: Tokenizer) -> tuple[TokenMark, Mark]:
    """What marks, and its mark."""
    mark = mark_for(MARKS[name], KEY, tokenizer)
    return TokenMark(mark, tokenizer, nudge=Nudge(psnr=LEVEL, levels=32, template=0.0), name=name), mark


def attacks(mark: Mark, tokenizer: Tokenizer) -> dict[str, Sequence[Attack]]:
    """Kinds of attacks, weakest first."""
    found: dict[str, Sequence[Attack]] = {kind: read_attacks(each, Options()) for kind, each in KINDS.items()}
    its, told = {"tokenizer": tokenizer.name}, Options()
    found["retokenizing"] = [Retokenize(f"retokenize:{n}", {**its, "passes": n}, told, tokenizer) for n in PASSES]
    found["PGD"] = [Adversarial(f"adversarial:{e}:20", {**its, "eps": e, "steps": 20}, told, tokenizer) for e in EPS]
    green = torch.from_numpy(np.asarray(mark.green_places(mark.list_of("0"), 256)))
    one = green if green.ndim == 1 else green[0]
    found["list known"] = [removal(tokenizer, one, fraction=each) for each in FRACTIONS]
    return found


def row(named: tuple[str, str, str], marks: TokenMark, marked: Sequence[Pixels], x: Sequence[Pixels]) -> dict[str, Any]:
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
    """Shares found at equal PSNR, a row for each contender and kind, and what its weakest strength costs and leaves."""
    found = []
    for name, kind in dict.fromkeys((each["contender"], each["attack"]) for each in rows if each["attack"] != "none"):
        (whole,) = [float(each["found"]) for each in rows if (each["contender"], each["attack"]) == (name, "none")]
        mine = [each for each in rows if (each["contender"], each["attack"]) == (name, kind)]
        levels, shares = zip(*sorted((float(each["psnr"]), float(each["found"])) for each in mine), strict=True)
        told = {
            f"at_{level}_db": float(np.interp(level, levels, shares)) if levels[0] <= level <= levels[-1] else ""
            for level in EQUAL
        }
        weakest = {"weakest_db": levels[-1], "weakest_found": shares[-1]}
        found.append({"contender": name, "attack": kind, "unattacked": whole, **told, **weakest})
    return found


def drawn(rows: Sequence[Mapping[str, Any]]) -> str:
    """SVG: share found by what the attack costs, a panel for each contender."""
    panels, most = [], 0
    for name in dict.fromkeys(each["contender"] for each in rows):
        curves: dict[str, list[tuple[float, float]]] = {}
        for each in rows:
            if each["contender"] == name and each["attack"] != "none":
                curves.setdefault(each["attack"], []).append((float(each["psnr"]), float(each["found"])))
        panels.append(panel(name, {kind: sorted(points, reverse=True) for kind, points in curves.items()}, AXIS))
        most = max(most, len(curves))
    return figure(panels, 3, most)


def main() -> None:
    """Measure the contenders that are named, or all, and write all rows so far after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contenders", nargs="*", default=list(MARKS))
    parser.add_argument(
        "--draw", action="store_true", help="measure nothing; write table and figure of the rows that are there"
    )
    asked = parser.parse_args()
    if asked.draw:
        told(read("watermark-removal"))
        return
    tokenizer, plain = load_tokenizer("world-vq:128", device="cpu"), squares()
    for name in asked.contenders:
        rows = [each for each in read("watermark-removal") if each["contender"] != name] + curves(
            name, plain, tokenizer
        )
        rows.sort(key=lambda each: list(MARKS).index(each["contender"]))
        write("watermark-removal", rows)
        told(rows)


def told(rows: Sequence[Mapping[str, Any]]) -> None:
    """Shares at equal PSNR, and the figure."""
    write("watermark-removal-equal", at_equal(rows))
    FIGURE.write_text(drawn(rows))


if __name__ == "__main__":
    main()
