"""What decoy keys call in folders of which a part is marked: false discoveries of single keys, and power.

Each key marks 30 % (`share`), and then 3 %, of a folder of 1,000 images: 40 % of the codes of a marked image are drawn from
green ones that occur in such images. Benjamini-Hochberg at 0.05 over p by 999 decoys (499 for 16 lists): `fdr` is the mean
over keys of the share of false ones among the called, `fdr_high` the upper end of its 95 % interval, `fdr_worst` that of
the worst key, `beyond` the share of keys that lie above 0.05 by more than 2.33 binomial errors. `found`: marked images
that are called so; `found_exact`: by the exact p instead. `null_mean` and `null_worst`: unmarked images of such folders
with p at most 0.01. `coins_p`: the median exact p of a marked image, what its own coins say. `found_calibrated`: by the rank
among 2,000 unmarked images of the same law alone (`--calibration FILE --decide calibrated`).

Run: OMP_NUM_THREADS=1 python benchmarks/tables/watermark_fdr.py [--laws LAW ...] [--marks MARK ...] [--keys 8]
"""

from __future__ import annotations

import argparse
import csv
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from code_laws import DRAWING, EVERY, METHODS, TOKENS, V, mark_of
from watermark_world import write

from evalkit.watermark.decoys.families import decoys_of
from evalkit.watermark.decoys.ranks import ranked
from evalkit.watermark.detection.decoy_scores import usual_count
from evalkit.watermark.detection.verdict import DETECTED, Rule, judge
from evalkit.watermark.mark import Mark

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
IMAGES, SHARES, ALPHA, RATE, FOLDER, NULLS = 1000, (0.3, 0.03), 0.01, 0.05, 4, 2000
OUT, SEED = Path(__file__).parent, 6
MARKS = [each for each in METHODS if each not in DRAWING]
LAWS = [each for each in EVERY if each != "constant"]


def marked(mark: Mark, codes: Ints, rng: np.random.Generator) -> Ints:
    """Codes of which 40 % are drawn from green ones that occur in such images."""
    done, pool = codes.copy(), codes.ravel()
    green, held = mark.green_places(0, TOKENS) if mark.method == "places" else None, {}
    for row in done:
        forced = np.flatnonzero(rng.random(TOKENS) < 0.4)
        if green is not None:
            donors = rng.choice(pool, (len(forced), 12))
            fits = green[forced[:, None], donors]
            row[forced] = np.where(fits.any(1), donors[np.arange(len(forced)), fits.argmax(1)], row[forced])
            continue
        if mark.method == "kgw":
            for at in forced[forced > 0].tolist():
                donors = rng.choice(pool, 12)
                fits = mark.list_after(int(row[at - 1]))[donors]  # type: ignore[attr-defined]
                row[at] = donors[fits.argmax()] if fits.any() else row[at]
            continue
        listed = int(rng.integers(mark.lists))
        if listed not in held:
            green_ones = mark.colours(np.arange(V), 0) if mark.method == "bitmark" else mark.green_codes(listed)
            held[listed] = pool[green_ones[pool]]
        donors = held[listed]
        row[forced] = rng.choice(donors, len(forced)) if len(donors) else row[forced]
    return done


def called(log_p: Floats, floor: Floats) -> npt.NDArray[np.bool_]:
    """By Benjamini-Hochberg."""
    every = np.arange(len(log_p))
    found: npt.NDArray[np.bool_] = judge(log_p, floor, every, every, Rule(ALPHA, RATE)).verdict == DETECTED
    return found


def seen(law: str, method: str, keys: int) -> Iterator[dict[str, float]]:
    """What each key met, for each share; `FOLDER` keys look at the same unmarked images."""
    for folder in range(-(-keys // FOLDER)):
        rng = np.random.default_rng([SEED, folder])
        codes, nulls = EVERY[law](IMAGES, rng), EVERY[law](NULLS, rng)
        marks = [mark_of(METHODS[method], 1000 * SEED + 500 + folder * FOLDER + number) for number in range(FOLDER)]
        looker = decoys_of(marks[0], usual_count(marks[0].as_dict()), f"{law}/{method}/{folder}")
        theirs = looker.scores(codes)
        for mark in marks:
            known = np.sort(mark.score(nulls).green)
            changed = marked(mark, codes[: round(max(SHARES) * IMAGES)], rng)
            many = looker.scores(changed)
            for share in SHARES:
                count = round(share * IMAGES)
                scores = mark.score(np.concatenate([changed[:count], codes[count:]]))
                decoys = np.concatenate([many[:count], theirs[count:]])
                yield {"share": share, "decoys": looker.keys, **counts(scores, decoys, known, count)}


def counts(scores: Any, decoys: Ints, known: Ints, count: int) -> dict[str, float]:
    """Of a folder whose first `count` images are marked."""
    floor = scores.log_p_floor
    log_p = ranked(lambda: [np.concatenate([decoys, scores.green[:, None]], 1)], ALPHA).log_p(scores.log_p, floor)
    calibrated = np.log((1 + len(known) - np.searchsorted(known, scores.green, side="left")) / (len(known) + 1))
    by_decoys = called(log_p, floor)
    every = max(int(by_decoys.sum()), 1)
    false = float(by_decoys[count:].sum() / every)
    return {
        "false": false, "beyond": float(false > RATE + 2.33 * (RATE * (1 - RATE) / every) ** 0.5),
        "found": float(by_decoys[:count].mean()), "found_exact": float(called(scores.log_p, floor)[:count].mean()),
        "found_calibrated": float(called(np.maximum(calibrated, floor), floor)[:count].mean()),
        "null": float((log_p[count:] <= np.log(ALPHA) + 1e-9).mean()),
        "coins_p": float(np.exp(np.median(scores.log_p[:count]))),
    }  # fmt: skip


def rows_of(law: str, method: str, keys: int) -> Iterator[dict[str, Any]]:
    """A row for each share."""
    every = list(seen(law, method, keys))
    for share in SHARES:
        mine = {name: np.array([each[name] for each in every if each["share"] == share]) for name in every[0]}
        false, n = mine["false"], len(mine["false"])
        yield {
            "codes": law, "mark": method, "share": share, "keys": n, "decoys": int(mine["decoys"][0]), "nominal": RATE,
            "fdr": false.mean(), "fdr_high": false.mean() + 1.96 * false.std(ddof=1) / n**0.5, "fdr_worst": false.max(),
            "beyond": mine["beyond"].mean(), "null_mean": mine["null"].mean(), "null_worst": mine["null"].max(),
            **{name: mine[name].mean() for name in ("found", "found_exact", "found_calibrated")},
            "coins_p": np.median(mine["coins_p"]),
        }  # fmt: skip


def main() -> None:
    """Measure, write after every cell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--laws", nargs="+", default=LAWS)
    parser.add_argument("--marks", nargs="+", default=MARKS)
    parser.add_argument("--keys", type=int, default=8)
    given, file = parser.parse_args(), OUT / "watermark-fdr.csv"
    for method, law in itertools.product(given.marks, given.laws):
        new, rows = list(rows_of(law, method, given.keys)), list[dict[str, Any]]()
        if file.exists():
            with file.open(newline="") as stream:
                rows = [each for each in csv.DictReader(stream) if (each["codes"], each["mark"]) != (law, method)]
        order = [(m, w) for m in MARKS for w in LAWS]
        write("watermark-fdr", sorted(rows + new, key=lambda each: order.index((each["mark"], each["codes"]))))


if __name__ == "__main__":
    main()
