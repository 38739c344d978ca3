"""Cut and paste: how often a marked part of unmarked codes is found as a region, and an unmarked part of marked ones as a gap.

Codes of a Zipf(0.7) law over 4,096 (`grounds`: three codes in bands fill 60 % of the image), on grids of 16, 24 and 32 a side.
Of what is marked 80 % of the codes are green (a strong mark of which most codes come back), the others as they fall.
`what`: region, a marked square or strip (1 : 4) pasted into unmarked codes; gap, an unmarked one pasted into marked codes.
`fit`: intersection over union of the part and the strongest frame. Share 0: nothing was pasted, and any region (or gap) is
a false one, promised at most 0.01. `known size`: what a test finds at the same level that knows the square's size and not
its place, by 20,000 simulated maps of fair coins: no scan of squares finds more.

`world`: images of world-ar2 (12 codes a side) marked by lbw with delta 4, parts exchanged in their pixels, anywhere.

Run: OMP_NUM_THREADS=1 python benchmarks/tables/watermark_regions.py [--law zipf] [--side 16] [--work DIR]
(adds the rows that watermark-regions.csv lacks)
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from watermark_fpr import key_of
from watermark_radioactive import KEY, TRAINED, Bench, kept
from watermark_world import read, write

from evalkit.images.decode import decode_image
from evalkit.images.encode import png_bytes
from evalkit.stats.shares import clopper_pearson
from evalkit.watermark.decoys.families import decoys_of
from evalkit.watermark.detection.located import LEVEL, Locator
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import build_mark
from evalkit.watermark.spec import MarkSpec
from evalkit.world.second.prompts import second_prompts

V, GREEN, DECOYS = 4096, 0.8, 999
LAW = 1 / np.arange(1, V + 1) ** 0.7
LAW /= LAW.sum()
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
# (what, mark, law, codes a side, shape, share, images)
CASES = (
    ("region", "lbw", "zipf", 16, "square", 0.0, 300),
    ("region", "lbw", "zipf", 16, "square", 0.1, 100),
    ("region", "lbw", "zipf", 24, "square", 0.1, 60),
    ("gap", "lbw", "zipf", 16, "square", 0.0, 150),
    ("gap", "lbw", "zipf", 16, "square", 0.1, 60),
    ("region", "lbw", "zipf", 24, "strip", 0.1, 60),
    ("region", "lbw", "zipf", 16, "strip", 0.1, 60),
    ("region", "lbw", "grounds", 24, "square", 0.0, 150),
    ("region", "lbw", "grounds", 24, "square", 0.1, 60),
    ("gap", "lbw", "grounds", 24, "square", 0.0, 100),
    ("gap", "lbw", "grounds", 24, "square", 0.1, 60),
    ("region", "places", "zipf", 24, "square", 0.1, 60),
    ("region", "lbw", "zipf", 16, "square", 0.15, 60),
    ("region", "lbw", "zipf", 16, "square", 0.25, 60),
)
WORLD = tuple(("world", what, share) for what in ("region", "gap") for share in (0.0, 0.1, 0.25))


def part(side: int, shape: str, share: float, rng: np.random.Generator) -> Bools:
    """bool [side, side]: a square or strip of about this share of the area, anywhere."""
    ratio = 2.0 if shape == "strip" else 1.0
    high, wide = round(side * share**0.5 / ratio), round(side * share**0.5 * ratio)
    y, x = rng.integers(0, side - high + 1), rng.integers(0, side - wide + 1)
    found = np.zeros((side, side), bool)
    found[y : y + high, x : x + wide] = True
    return found if rng.random() < 0.5 else found.T.copy()


def codes_of(mark: Mark, law: str, where: Bools, rng: np.random.Generator) -> Ints:
    """Codes [side * side] that are marked `where`."""
    side = len(where)
    codes = rng.choice(V, (side, side), p=LAW)
    if law == "grounds":
        bands = np.repeat([1, 2, 3], [side // 3, side // 3, side - 2 * (side // 3)])[:, None]
        codes = np.where(rng.random((side, side)) < 0.6, bands, codes)
    green = mark.green_places(0, side * side)
    change = where & (rng.random((side, side)) < GREEN)
    if law == "grounds":
        change &= codes > 3  # the grounds stay as they are
    for place in np.flatnonzero(change):
        weights = LAW * (green[place] if green.ndim == 2 else green)
        codes.flat[place] = rng.choice(V, p=weights / weights.sum())
    return codes.ravel()


def fit(box: Sequence[float], here: Bools) -> float:
    """Intersection over union of a box and a part."""
    left, top, right, bottom = (round(each * len(here)) for each in box)
    framed = np.zeros_like(here)
    framed[top:bottom, left:right] = True
    return float((framed & here).sum() / (framed | here).sum())


def row(told: dict[str, Any], fits: Sequence[float | None], more: dict[str, Any]) -> dict[str, Any]:
    """A row of the table; `fits`: None where nothing was found."""
    hits = [each for each in fits if each is not None]
    low, high = clopper_pearson(len(hits), len(fits))
    return {
        **told, "images": len(fits), "level": LEVEL, "found": len(hits) / len(fits), "low": low, "high": high,
        "fit": float(np.mean(hits)) if hits and float(told["share"]) else "", **more,
    }  # fmt: skip


def simulated(what: str, name: str, law: str, side: int, shape: str, share: float, count: int) -> dict[str, Any]:
    """The row of one case."""
    mark = build_mark(MarkSpec(name), key_of("regions", name), "simulated@x", V)
    locator = Locator(mark, decoys_of(mark, DECOYS, f"regions {side}"))
    rng = np.random.default_rng([side, round(100 * share), len(shape), len(law)])
    fits: list[float | None] = []
    for _ in range(count):
        here = part(side, shape, share, rng)
        codes = codes_of(mark, law, ~here if what == "gap" else here, rng)
        found = locator.found(codes, (side, side), ())[what == "gap"]
        fits.append(fit(found[0].window.as_box(), here) if found else None)
    told = {"what": what, "mark": name, "codes": law, "codes_a_side": side, "shape": shape, "share": share}
    squares = what == "region" and name == "lbw" and law == "zipf" and shape == "square" and share
    return row(told, fits, {"known_size": known_size(side, round(side * share**0.5)) if squares else ""})


def known_size(side: int, width: int) -> float:
    """Power of the largest count over all squares of `width` codes: fair coins, and (1 + GREEN) / 2 green ones in one."""
    rng, size = np.random.default_rng(1), 20_000
    maps = rng.random((size, side, side)) < 0.5
    sums = np.pad(maps.cumsum(1).cumsum(2), ((0, 0), (1, 0), (1, 0)))
    counts = sums[:, width:, width:] - sums[:, :-width, width:] - sums[:, width:, :-width] + sums[:, :-width, :-width]
    most = counts.max((1, 2))
    needed = next(each for each in range(width * width + 2) if (most >= each).mean() <= LEVEL)
    return float((rng.binomial(width * width, (1 + GREEN) / 2, size) >= needed).mean())


def of_world(work: Path) -> Iterator[tuple[tuple[str, str, float], dict[str, Any]]]:
    """Rows of world-ar2: parts of marked images in unmarked ones of the same captions, and the other way round."""
    bench = Bench()
    mark, captions = bench.mark("lbw", KEY), tuple(p.caption for p in second_prompts(TRAINED, seed=21))
    teachers = {
        name: kept(
            work / f"teacher-{name}.npz",
            captions,
            lambda own=own: (bench.made(bench.model(), captions, 1, own), 0.0),  # type: ignore[misc]
        )[0]
        for name, own in (("lbw", mark), ("none", None))
    }
    locator = Locator(mark, decoys_of(mark, DECOYS, "regions world"))
    pixels = {name: [decode_image(each) for each in images.files] for name, images in teachers.items()}
    for case in WORLD:
        _, what, share = case
        ground, other = ("lbw", "none") if what == "gap" else ("none", "lbw")
        rng, made, places = np.random.default_rng(round(100 * share)), [], []
        for under, over in zip(pixels[ground], pixels[other], strict=True):
            here = part(len(under), "square", share, rng)
            made.append(png_bytes(np.where(here[..., None], over, under)))
            places.append(here)
        side = round(bench.read(made[:1]).shape[1] ** 0.5)
        found = [locator.found(codes, (side, side), ())[what == "gap"] for codes in bench.read(made)]
        fits = [fit(each[0].window.as_box(), here) if each else None for each, here in zip(found, places, strict=True)]
        told = {"what": what, "mark": "lbw", "codes": "world", "codes_a_side": side, "shape": "square", "share": share}
        yield case, row(told, fits, {"known_size": ""})


def main() -> None:
    """Measure, and write after every row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--law", choices=("zipf", "grounds", "world"), action="append")
    parser.add_argument("--side", type=int, action="append")
    parser.add_argument("--work", type=Path, help="folder for images of the world [default: one that is deleted]")
    given = parser.parse_args()
    rows = [dict(each) for each in read("watermark-regions")]
    there = {(r["what"], r["mark"], r["codes"], int(r["codes_a_side"]), r["shape"], float(r["share"])) for r in rows}
    for case in CASES:
        _, _, law, side, _, _, _ = case
        if case[:-1] not in there and law in (given.law or [law]) and side in (given.side or [side]):
            rows.append(simulated(*case))
            write("watermark-regions", rows)
    if "world" in (given.law or ["world"]) and not any(r["codes"] == "world" for r in rows):
        with tempfile.TemporaryDirectory() as folder:
            for _, each in of_world(given.work or Path(folder)):
                rows.append(each)
                write("watermark-regions", rows)


if __name__ == "__main__":
    main()
