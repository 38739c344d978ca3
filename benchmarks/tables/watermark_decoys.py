"""What decoy keys promise, and what happens: 200 real keys a cell, each over unmarked images, by the detector's own functions.

Two folders of 1,000 images (3,000 where few differ) are drawn from each law of codes, with decoys of their own, as many as a
detection takes where nobody says (with the other 99 real keys, `decoys`); a hundred real keys look at each. Of each key:
the share of images with p at most 0.01 by rank among the decoys (`rate`), the same where nothing is taken out (`raw`),
whether the interval that the screen tells holds it (`interval_holds`), and the folder's p (`folder_*`; `ks_p`: one-sided,
of p below uniform; `ks_both`: two-sided). Images of the same codes are one; `images` is how many differ, `can` how many of
these have codes enough for a p of 0.01: rates are theirs, since no rule can call the others; with none they are 0.
`copies_worst`: the worst share of a key over all files. `least`: the median smallest p that an image's codes allow. `coins`: in
how many directions the images of a folder differ once leans are taken out, as if so many coins of equal weight did (not in
rows with `digits` 3).

No setting of the decoys was chosen for the laws of `HELD_OUT` (`chosen_on`), but Zipf(3) was looked at while they were
chosen. `lean_cap`: what bounds the lean of the greenest key. What happens beside marked images: watermark_fdr.py.

Run: OMP_NUM_THREADS=1 python benchmarks/tables/watermark_decoys.py [--laws LAW ...] [--marks MARK ...] [--missing]
(rows of these in watermark-decoys.csv, and the page's table)
"""

from __future__ import annotations

import argparse
import csv
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from code_laws import CAP, DRAWING, EVERY, HELD_OUT, LAWS, METHODS, TOKENS, V, mark_of
from scipy.stats import kstest
from watermark_world import write

from evalkit.watermark.decoys.counts import counted
from evalkit.watermark.decoys.even import best_of, left_of, shifted, shifts
from evalkit.watermark.decoys.families import decoys_of
from evalkit.watermark.decoys.lean import SHARED, fitted
from evalkit.watermark.decoys.ranks import LARGE, SAME, TIE, Ranked, folder_ps, ranked
from evalkit.watermark.detection.decoy_scores import usual_count
from evalkit.watermark.mark import Mark
from evalkit.watermark.sliced import sliced

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
IMAGES, FOLDERS, ALPHA = 1000, 2, 0.01
MORE = {"Zipf(3)": 3000, "constant": 3000}  # of laws whose images are often the same
SAME_ROWS = 0.99  # of the images that can be called
ENOUGH = 300  # images that can be called: with fewer a rate of .01 is no number to tell
KEYS, SEED = 200, 6  # keys in all
HELD: dict[tuple[str, str], npt.NDArray[np.float32]] = {}


def greens(marks: list[Mark], codes: Ints) -> Ints:
    """[B, keys]: what `Mark.evidence` is of each; pairs and places are coloured once for all images."""
    first: Any = marks[0]
    if first.method in DRAWING:
        return _drawn(marks, codes)
    if first.method == "bitmark":
        signs = np.stack([2 * each.wants[0] - 1 for each in marks], axis=1)  # type: ignore[attr-defined]
        lean = first.leans(codes)
        return (np.abs(lean).sum(1)[:, None] + lean @ signs) // 2
    if first.method not in ("kgw", "places"):
        return _listed(marks, codes)
    units = np.sort(np.stack([first.units(row) for row in codes]), axis=1)
    fresh = units >= 0
    fresh[:, 1:] &= units[:, 1:] != units[:, :-1]
    kinds, at = np.unique(units, return_inverse=True)
    masks = np.stack([_coloured(each, kinds) for each in marks])
    return counted(np.where(fresh, at.reshape(units.shape), len(kinds)), sliced(masks), len(marks))


def _listed(marks: list[Any], codes: Ints) -> Ints:
    """Distinct green codes, or clusters of them, under the greenest list of each mark."""
    kinds = marks[0].units(codes.ravel()).reshape(codes.shape) if marks[0].method == "clusters" else codes
    held = np.zeros((len(codes), V), np.float32)
    np.put_along_axis(held, kinds, 1, axis=1)
    found = []
    for each in marks:
        masks = each.list_after(-1)[None] if each.method == "wmar" else each.pool.masks
        found.append((held[:, : masks.shape[1]] @ masks.T.astype(np.float32)).max(1))
    return np.rint(np.stack(found, axis=1)).astype(np.int64)


def _drawn(marks: list[Any], codes: Ints) -> Ints:
    """What the codes say, summed, by the secret number of each code at its place."""
    places = np.arange(TOKENS)
    found = [worths(each)[places, codes].sum(1, dtype=np.float64) for each in marks]
    return np.rint(np.stack(found, axis=1)).astype(np.int64)


def worths(mark: Any) -> npt.NDArray[np.float32]:
    """[TOKENS, V]: what each code says at each place, by a mark that draws codes by the key; kept for other laws."""
    at = mark.method, mark.key.id
    if at not in HELD:
        rows = np.stack([mark.numbers(0, place) for place in range(TOKENS)])
        if mark.method == "dipmark":  # green are the last ones of their order
            HELD[at] = (rows >= np.partition(rows, mark.reds, axis=1)[:, mark.reds, None]).astype(np.float32)
        else:
            HELD[at] = mark.worth(rows).astype(np.float32)
        while len(HELD) > KEYS:
            HELD.pop(next(iter(HELD)))
    return HELD[at]


def _coloured(mark: Any, kinds: Ints) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(kinds), bool)
    first = kinds // V
    for row in np.unique(first[kinds >= 0]):
        green = mark.list_after(int(row)) if mark.method == "kgw" else mark.green_at([int(row)])[0]
        here = first == row
        found[here] = green[kinds[here] % V]
    return found & (kinds >= 0)


@dataclass
class Seen:
    """What one key met."""

    rate: float
    copies: float
    raw: float
    holds: bool
    folder: float
    images: int
    can: int
    least: float
    coins: float
    decoys: int


def as_large(values: npt.NDArray[Any]) -> Ints:
    """How many of each row's values are at least each one."""
    found: Ints = np.zeros(values.shape, np.int64)
    for mine, row in zip(found, values, strict=True):
        mine[:] = len(row) - np.searchsorted(np.sort(row), row)
    return found


def beside(theirs: Ints, mine: Ints, floor: Floats) -> Ranked:
    """A real key's scores [B] among the decoys' [B, K]."""
    return ranked(lambda: [np.concatenate([theirs, mine[:, None]], 1)], ALPHA, floor)


def cell(law: str, method: str) -> Iterator[Seen]:
    """Every key of a law and a method."""
    spec, each_folder = METHODS[method], KEYS // FOLDERS
    for folder in range(FOLDERS):
        rng = np.random.default_rng([SEED, folder])
        codes = EVERY[law](MORE.get(law, IMAGES), rng)
        marks = [mark_of(spec, 1000 * SEED + folder * each_folder + number) for number in range(each_folder)]
        drawn = usual_count(marks[0].as_dict()) - (each_folder - 1)
        looker = decoys_of(marks[0], drawn, f"{law}/{method}/{folder}")
        theirs, mine = looker.scores(codes), greens(marks, codes)
        some = codes[:4] if method in DRAWING else codes  # whose floor is that of every image
        first = marks[0].score(some)
        if not np.array_equal(mine[: len(some), 0], marks[0].evidence(some, first.green)):
            raise SystemExit("the fast counts of real keys are not those of the detector")
        floor = np.resize(first.log_p_floor, len(codes))
        yield from together(theirs, mine, floor)


def together(theirs: Ints, mine: Ints, floor: Floats) -> Iterator[Seen]:
    """What each real key meets. All keys are treated alike, so one pass serves all: the other real keys are decoys too."""
    keys, first = np.concatenate([theirs, mine], axis=1), theirs.shape[1]
    fit, every = fitted(lambda: [keys]), keys.shape[1]
    images, can = fit.images, fit.fresh & (floor <= np.log(ALPHA) + SAME)
    fit, calls = replace(fit, fresh=can), best_of(ALPHA, every)
    parts = list(left_of([keys], fit))
    shift = shifts(lambda: parts, fit, calls / every)
    left = np.round(np.concatenate([each for _, each, _ in shifted(parts, shift)]), TIE)
    above, plain, some = as_large(left), as_large(keys[can]), max(fit.images, 1)
    rates, far = (above[can] <= calls).sum(0) / some, (np.maximum(left[can] - LARGE, 0) ** 2).sum(0)
    called = np.maximum(above / every, np.exp(floor)[:, None]) <= ALPHA + 1e-12
    raw, folder = (plain <= calls).sum(0) / some, folder_ps(fit.means, far)
    seen = beside(np.delete(keys, first, axis=1), keys[:, first], floor)
    if (np.abs(seen.above + 1 - above[:, first]) > 3).mean() > 0.01:
        raise SystemExit("one pass for all keys is not what the detector does")
    coins = directions(np.concatenate([each.rows for each in parts])[can])
    for at in range(first, every):
        beyond = np.sort(np.delete(rates, at))
        low, high = beyond[int(0.025 * every) - 1], beyond[int(np.ceil(0.975 * every)) - 1]
        yield Seen(
            rates[at], called[:, at].mean(), raw[at], bool(low <= rates[at] <= high), folder[at], images, fit.images,
            float(np.exp(np.median(floor))), coins, every - 1,
        )  # fmt: skip


def directions(left: Floats) -> float:
    """In how many directions left-over scores [n, K + 1] differ from image to image: the sum of squares' effective number."""
    rows = left - left.mean(0)
    square = (rows - rows.mean(1, keepdims=True)).T @ rows if len(rows) else np.zeros((1, 1))
    return float(np.trace(square) ** 2 / max((square**2).sum(), 1e-300))


def row_of(law: str, method: str) -> dict[str, Any]:
    """A row of the table."""
    seen = list(cell(law, method))
    rate, raw, folder, copies = (
        np.array([getattr(each, name) for each in seen]) for name in ("rate", "raw", "folder", "copies")
    )
    return {
        "codes": law, "chosen_on": law not in HELD_OUT, "mark": method, "keys": len(seen),
        "images": np.mean([each.images for each in seen]), "can": np.mean([each.can for each in seen]),
        "least": np.median([each.least for each in seen]), "coins": np.median([each.coins for each in seen]),
        "decoys": seen[0].decoys, "level": ALPHA,
        "shared": SHARED, "digits": TIE, "lean_cap": CAP,
        "rate_mean": rate.mean(), "rate_low": np.quantile(rate, 0.025), "rate_high": np.quantile(rate, 0.975),
        "rate_worst": rate.max(), "within": ((rate >= 0.004) & (rate <= 0.02)).mean(), "above": (rate > 0.02).mean(),
        "copies_worst": copies.max(), "raw_mean": raw.mean(), "raw_worst": raw.max(),
        "raw_within": ((raw >= 0.004) & (raw <= 0.02)).mean(),
        "interval_holds": np.mean([each.holds for each in seen]),
        "folder_at_05": (folder <= 0.05).mean(), "folder_at_01": (folder <= 0.01).mean(),
        "ks_p": kstest(folder, "uniform", alternative="greater").pvalue, "ks_both": kstest(folder, "uniform").pvalue,
    }  # fmt: skip


def main() -> None:
    """Measure the marks that are named, or all, write after every cell, and bring the page's table up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--laws", nargs="+", default=list(EVERY))
    parser.add_argument("--marks", nargs="+", default=list(METHODS))
    parser.add_argument("--missing", action="store_true", help="only rows that the table has not")
    given, file = parser.parse_args(), Path(__file__).with_name("watermark-decoys.csv")
    for method, law in itertools.product(given.marks, given.laws):
        if given.missing and any(
            (each["codes"], each["mark"]) == (law, method) for each in _rows(file) if _is_of_now(each)
        ):
            continue
        new = row_of(law, method)
        rows = [each for each in _rows(file) if (each["codes"], each["mark"]) != (law, method)] + [new]
        write("watermark-decoys", sorted(rows, key=lambda each: _order(str(each["mark"]), str(each["codes"]))))
    on_page(_rows(file), Path(__file__).parents[2] / "docs" / "watermark.md")


def _rows(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    with file.open() as stream:
        return list(csv.DictReader(stream))


def _is_of_now(row: Mapping[str, Any]) -> bool:
    """Whether a row was measured by the present rule, or by one that differs for at most one key of a folder (`lean_cap`).
    With three decimals there were more ties among bits, and images that cannot be called counted. So rows of other marks
    with hardly any such images, or with no others, stay in the table.
    """
    part = float(row["can"]) / float(row["images"])
    same = row["mark"] != "bitmark" and (part > SAME_ROWS or part == 0)
    return float(row["shared"]) == SHARED and (int(row["digits"]) == TIE or same)


def on_page(rows: list[dict[str, Any]], page: Path) -> None:
    """The table in place of the one that is there: a row for each law, over the marks of which enough images can be called."""
    heads = (
        "codes", "marks", "images", "keys within .004–.02, least of a mark", "calls at 0.01, mean over keys", "worst key",
        "worst key by the rank alone", "interval holds", "folder p at most .05",
    )  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for law in EVERY:
        mine = [each for each in rows if each["codes"] == law and float(each["can"]) >= ENOUGH and _is_of_now(each)]
        if not mine:
            continue
        least = min(mine, key=lambda each: float(each["within"]))
        low, high = (each(float(row["rate_mean"]) for row in mine) for each in (min, max))
        holds, folder, can = ([float(row[name]) for row in mine] for name in ("interval_holds", "folder_at_05", "can"))
        cells = [
            law if law in LAWS else f"{law}, held out", str(len(mine)), f"{min(can):.0f}–{max(can):.0f}",
            f"{100 * float(least['within']):.1f} % ({least['mark']})",
            f"{low:.4f}–{high:.4f}", *(f"{max(float(row[name]) for row in mine):.3f}" for name in ("rate_worst", "raw_worst")),
            f"{100 * min(holds):.0f}–{100 * max(holds):.0f} %", f"{min(folder):.3f}–{max(folder):.3f}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    text = page.read_text(encoding="utf-8")
    start = text.index("| codes | mark")
    page.write_text(text[:start] + "\n".join(lines) + text[text.index("\n\n", start) :], encoding="utf-8")


def _order(method: str, law: str) -> tuple[int, int]:
    return list(METHODS).index(method), list(EVERY).index(law)


if __name__ == "__main__":
    main()
