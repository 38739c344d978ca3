"""Cut and paste: how often a marked square in unmarked codes is found as a region, and how well the frame fits.

Codes of a Zipf(0.7) law over 4,096, on grids of 16, 24 and 32 a side; of the square, 80 % of the codes are green (a strong mark
of which most codes come back). Half an overlap is `fit` 0.5 (intersection over union with the greenest region). Share 0 is
an unmarked image: any region is a false one, promised at most 0.01.

Run: OMP_NUM_THREADS=1 python benchmarks/tables/watermark_regions.py (writes benchmarks/tables/watermark-regions.csv)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from watermark_fpr import key_of
from watermark_world import write

from evalkit.stats.shares import clopper_pearson
from evalkit.watermark.decoys.families import decoys_of
from evalkit.watermark.detection.located import LEVEL, Locator
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import build_mark
from evalkit.watermark.spec import MarkSpec

V, GREEN, DECOYS, IMAGES, NULLS = 4096, 0.8, 499, 60, 300
LAW = 1 / np.arange(1, V + 1) ** 0.7
LAW /= LAW.sum()


def pasted(mark: Mark, side: int, share: float, rng: np.random.Generator) -> tuple[Any, npt.NDArray[np.bool_]]:
    """(codes [side * side], bool [side, side] where they are marked) of one image."""
    codes = rng.choice(V, (side, side), p=LAW)
    here = np.zeros((side, side), bool)
    width = round(side * share**0.5)
    y, x = rng.integers(0, side - width + 1, 2)
    here[y : y + width, x : x + width] = True
    green = mark.green_places(0, side * side)
    for place in np.flatnonzero(here & (rng.random((side, side)) < GREEN)):
        law = LAW * (green[place] if green.ndim == 2 else green)
        codes.flat[place] = rng.choice(V, p=law / law.sum())
    return codes.ravel(), here


def fit(box: list[float], here: npt.NDArray[np.bool_]) -> float:
    """Intersection over union of a box and the marked square."""
    left, top, right, bottom = (round(each * len(here)) for each in box)
    framed = np.zeros_like(here)
    framed[top:bottom, left:right] = True
    return float((framed & here).sum() / (framed | here).sum())


def main() -> None:
    """Measure, and write after every row."""
    rows = []
    for method in ("lbw", "places"):
        for side in (16, 24, 32):
            mark = build_mark(MarkSpec(method), key_of("regions", method), "simulated@x", V)
            locator = Locator(mark, decoys_of(mark, DECOYS, f"regions {side}"))
            for share in (0.0, 0.1, 0.15, 0.25, 0.5):
                rng = np.random.default_rng([side, round(100 * share)])
                count = NULLS if share == 0 else IMAGES
                fits = []
                for _ in range(count):
                    codes, here = pasted(mark, side, share, rng)
                    regions = locator.found(codes, (side, side), ())
                    fits += [fit(regions[0].window.as_box(), here)] if regions else []
                low, high = clopper_pearson(len(fits), count)
                rows.append(
                    {
                        "mark": method, "codes_a_side": side, "share": share, "images": count, "level": LEVEL,
                        "found": len(fits) / count, "low": low, "high": high,
                        "fit": float(np.mean(fits)) if fits and share else "",
                    }
                )  # fmt: skip
                write("watermark-regions", rows)


if __name__ == "__main__":
    main()
