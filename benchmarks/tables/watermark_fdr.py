"""What decoy keys call in folders of which a part is marked: false discoveries of single keys, and power.

Each key marks 30 % (`share`) of a folder of 500 images: of the codes of a marked image 40 %, and then 90 % (`forced`), are
drawn from green ones that occur in such images; for marks that draw codes by the key it is the best of twelve. In a third
folder 10 % are marked with 90 %. Benjamini-Hochberg at 0.05 over p by 499 decoys: `called` images on average; `fdr` is the mean
over keys of the share of false ones among them, `fdr_high` the upper end of its 95 % interval, `fdr_worst` that of the worst
key, `beyond` the share of keys that lie above 0.05 by more than 2.33 binomial errors. `found`: marked images that are called
so; `found_exact`: by the exact p instead. `null_mean` and `null_worst`: unmarked images of such folders with p at most 0.01.
`coins_p`: the median exact p of a marked image, what its own coins say. `found_calibrated`: by the rank among 700 unmarked
images of the same law alone (`--calibration FILE --decide calibrated`). `lean_cap`: what bounds the greenest key's lean; it is
"lower tail" today, and "others" is stricter.

Run: OMP_NUM_THREADS=1 python benchmarks/tables/watermark_fdr.py [--laws LAW ...] [--marks MARK ...] [--missing]
"""

from __future__ import annotations

import argparse
import csv
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from code_laws import CAP, DRAWING, EVERY, LAWS, METHODS, TOKENS, V, mark_of
from watermark_decoys import greens, worths
from watermark_world import write

from evalkit.watermark.decoys.families import decoys_of
from evalkit.watermark.decoys.ranks import TIE, ranked
from evalkit.watermark.detection.verdict import DETECTED, Rule, judge
from evalkit.watermark.mark import Mark

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
IMAGES, ALPHA, RATE, KEYS, FOLDER, NULLS, DECOYS, TRIED = 500, 0.01, 0.05, 4, 4, 700, 499, 12
SETTINGS = ((0.3, 0.4), (0.3, 0.9), (0.1, 0.9))  # share of marked images, share of their codes that is forced
OUT, SEED = Path(__file__).parent, 6
FIXED = ("lbw, 1 list", "lbw, 16 lists", "lbw, paired", "indexmark", "clusters", "wmar, context 0", "kgw, context 1")


def marked(mark: Mark, codes: Ints, forced: float, rng: np.random.Generator) -> Ints:
    """Codes of which a share is chosen by the key from codes that occur in such images."""
    done, pool, choose = codes.copy(), codes.ravel(), _chooser(mark, codes.ravel())
    for row in done:
        at = np.flatnonzero(rng.random(TOKENS) < forced)
        choose(row, at, rng.choice(pool, (len(at), TRIED)), rng)
    return done


def _chooser(mark: Any, pool: Ints) -> Callable[[Ints, Ints, Ints, np.random.Generator], None]:
    """Puts green codes of candidates [n, TRIED], or of the pool, at places [n] of a row."""
    if mark.method in DRAWING:
        return lambda row, at, given, _: _best(row, at, given, worths(mark))
    if mark.method == "places":
        return lambda row, at, given, _: _best(row, at, given, mark.green_places(0, TOKENS))
    if mark.method == "kgw":
        return lambda row, at, given, _: _behind(mark, row, at, given)
    held: dict[int, Ints] = {}

    def listed(row: Ints, at: Ints, given: Ints, rng: np.random.Generator) -> None:
        number = int(rng.integers(mark.lists))
        if number not in held:
            green = mark.colours(np.arange(V), 0) if mark.method == "bitmark" else mark.green_codes(number)
            held[number] = pool[green[pool]]
        row[at] = rng.choice(held[number], len(at)) if len(held[number]) else row[at]

    return listed


def _best(row: Ints, at: Ints, given: Ints, worth: npt.NDArray[Any]) -> None:
    row[at] = given[np.arange(len(at)), worth[at[:, None], given].argmax(1)]


def _behind(mark: Any, row: Ints, at: Ints, given: Ints) -> None:
    for place, some in zip(at.tolist(), given, strict=True):
        if place:
            row[place] = some[mark.list_after(int(row[place - 1]))[some].argmax()]


def scored(mark: Mark, codes: Ints) -> tuple[Ints, Floats, Floats]:
    """(evidence, log of the exact p, log of its floor) of each image."""
    if mark.method not in DRAWING:
        found = mark.score(codes)
        return found.green, found.log_p, found.log_p_floor
    drawn: Any = mark
    total = greens([mark], codes)[:, 0]
    tails = {each: drawn.log_tail(float(each), TOKENS) for each in np.unique(total).tolist()}
    return total, np.array([tails[each] for each in total.tolist()]), np.full(len(codes), drawn.log_floor(TOKENS))


def called(log_p: Floats, floor: Floats) -> npt.NDArray[np.bool_]:
    """By Benjamini-Hochberg."""
    every = np.arange(len(log_p))
    found: npt.NDArray[np.bool_] = judge(log_p, floor, every, every, Rule(ALPHA, RATE)).verdict == DETECTED
    return found


def seen(law: str, method: str) -> Iterator[dict[str, float]]:
    """What each key met, for each setting; `FOLDER` keys look at the same unmarked images."""
    for folder in range(KEYS // FOLDER):
        rng = np.random.default_rng([SEED, folder])
        codes, nulls = EVERY[law](IMAGES, rng), EVERY[law](NULLS, rng)
        marks = [mark_of(METHODS[method], 1000 * SEED + 500 + folder * FOLDER + number) for number in range(FOLDER)]
        looker = decoys_of(marks[0], DECOYS, f"{law}/{method}/{folder}")
        theirs = looker.scores(codes)
        for mark in marks:
            known, plain = np.sort(scored(mark, nulls)[0]), scored(mark, codes)
            for share, forced in SETTINGS:
                count = round(share * IMAGES)
                changed = marked(mark, codes[:count], forced, rng)
                mine = [
                    np.concatenate([new, old[count:]]) for new, old in zip(scored(mark, changed), plain, strict=True)
                ]
                decoys = np.concatenate([looker.scores(changed), theirs[count:]])
                yield {"share": share, "forced": forced, **counts(mine, decoys, known, count)}


def counts(mine: list[Any], decoys: Ints, known: Ints, count: int) -> dict[str, float]:
    """Of a folder whose first `count` images are marked; `mine`: evidence, logs of the exact p and of its floor."""
    green, exact, floor = mine
    log_p = ranked(lambda: [np.concatenate([decoys, green[:, None]], 1)], ALPHA, floor).log_p(exact, floor)
    calibrated = np.log((1 + len(known) - np.searchsorted(known, green, side="left")) / (len(known) + 1))
    by_decoys = called(log_p, floor)
    every = max(int(by_decoys.sum()), 1)
    false = float(by_decoys[count:].sum() / every)
    return {
        "called": float(by_decoys.sum()), "false": false,
        "beyond": float(false > RATE + 2.33 * (RATE * (1 - RATE) / every) ** 0.5),
        "found": float(by_decoys[:count].mean()), "found_exact": float(called(exact, floor)[:count].mean()),
        "found_calibrated": float(called(np.maximum(calibrated, floor), floor)[:count].mean()),
        "null": float((log_p[count:] <= np.log(ALPHA) + 1e-9).mean()),
        "coins_p": float(np.exp(np.median(exact[:count]))),
    }  # fmt: skip


def rows_of(law: str, method: str) -> Iterator[dict[str, Any]]:
    """A row for each setting."""
    every = list(seen(law, method))
    for share, forced in SETTINGS:
        here = [each for each in every if (each["share"], each["forced"]) == (share, forced)]
        mine = {name: np.array([each[name] for each in here]) for name in every[0]}
        false, n = mine["false"], len(mine["false"])
        yield {
            "codes": law, "mark": method, "share": share, "forced": forced, "keys": n, "decoys": DECOYS, "nominal": RATE,
            "digits": TIE, "lean_cap": CAP, "called": mine["called"].mean(),
            "fdr": false.mean(), "fdr_high": false.mean() + 1.96 * false.std(ddof=1) / n**0.5, "fdr_worst": false.max(),
            "beyond": mine["beyond"].mean(), "null_mean": mine["null"].mean(), "null_worst": mine["null"].max(),
            **{name: mine[name].mean() for name in ("found", "found_exact", "found_calibrated")},
            "coins_p": np.median(mine["coins_p"]),
        }  # fmt: skip


def main() -> None:
    """Measure, write after every cell, and bring the page's table up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--laws", nargs="+", default=list(LAWS))
    parser.add_argument("--marks", nargs="+", default=list(METHODS))
    parser.add_argument("--missing", action="store_true", help="only cells that the table has not")
    given, file = parser.parse_args(), OUT / "watermark-fdr.csv"
    for method, law in itertools.product(given.marks, given.laws):
        if law == "constant" and method in FIXED:
            continue  # an image is one coin
        rows = _rows(file)
        if given.missing and any(
            (each["codes"], each["mark"], each["lean_cap"]) == (law, method, CAP) for each in rows
        ):
            continue
        new = list(rows_of(law, method))
        rows = [each for each in _rows(file) if (each["codes"], each["mark"]) != (law, method)] + new
        order = list(itertools.product(METHODS, EVERY))
        write("watermark-fdr", sorted(rows, key=lambda each: order.index((each["mark"], each["codes"]))))
    on_page(_rows(file), OUT.parents[1] / "docs" / "watermark.md")


def _rows(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def on_page(rows: list[dict[str, Any]], page: Path) -> None:
    """The table in place of the one that is there: a row for each law and setting, over the marks that call something."""
    heads = (
        "codes", "marked", "forced", "marks", "called of a mark's marked images", "FDR, mean of a mark", "FDR, worst key",
        "keys beyond 0.05", "unmarked called at 0.01, worst key",
    )  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for law, (share, forced) in itertools.product(EVERY, SETTINGS):
        here = [
            each for each in rows if (each["codes"], each["share"], each["forced"]) == (law, str(share), str(forced))
        ]
        mine = [each for each in here if float(each["called"]) >= 1]
        if not mine:
            continue
        found, fdr, worst, null, beyond = (
            [float(row[name]) for row in mine] for name in ("found", "fdr", "fdr_worst", "null_worst", "beyond")
        )
        keys = [int(row["keys"]) for row in mine]
        cells = [
            law, f"{100 * share:.0f} %", f"{100 * forced:.0f} %", f"{len(mine)} of {len(here)}",
            f"{min(found):.2f}–{max(found):.2f}", f"{min(fdr):.3f}–{max(fdr):.3f}", f"{max(worst):.3f}",
            f"{sum(b * k for b, k in zip(beyond, keys, strict=True)):.0f} of {sum(keys)}", f"{max(null):.4f}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    text = page.read_text(encoding="utf-8")
    start = text.index("| codes | mark", text.index("### Decoy keys beside marked images"))
    page.write_text(text[:start] + "\n".join(lines) + text[text.index("\n\n", start) :], encoding="utf-8")


if __name__ == "__main__":
    main()
