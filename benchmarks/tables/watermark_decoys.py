"""What decoy keys promise, and what happens: 200 real keys a cell, each over unmarked images, by the detector's own functions.

Two folders of 1,000 images are drawn from each law of codes, with decoys of their own; a hundred real keys look at each. Of
each key: the share of images with p at most 0.01 by rank among 499 decoys (400 drawn, and the other 99 real keys)
(`rate`), the same where nothing is taken out (`raw`), whether the interval that the screen tells holds it
(`interval_holds`), and the folder's p (`folder_*`; `ks_p`: one-sided, of p below uniform). Images of the same codes are one;
`images` is how many differ, `copies_worst` the worst share of a key where each copy counts. `least` is the smallest p
that half of the images can have: where it is above 0.01 no rule can call them (`rate` is 0).

FDR: 30 % of the images are marked by the key, Benjamini-Hochberg at 0.05; `fdr` is the mean share of false ones among the
called, `fdr_high` the upper end of its 95 % interval over keys, `fdr_worst` that of the worst key, `fdr_beyond` the share
of keys that lie above 0.05 by more than 2.33 binomial errors, `found` the share of marked images called.

Run: OMP_NUM_THREADS=1 python benchmarks/tables/watermark_decoys.py [MARK ...] (rows of these marks in watermark-decoys.csv)
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import kstest
from watermark_fpr import key_of
from watermark_world import write

from evalkit.watermark.decoys.counts import counted
from evalkit.watermark.decoys.even import best_of, shifted, shifts
from evalkit.watermark.decoys.families import decoys_of
from evalkit.watermark.decoys.lean import fitted
from evalkit.watermark.decoys.ranks import LARGE, TIE, Ranked, folder_ps, ranked
from evalkit.watermark.detection.verdict import DETECTED, Rule, judge
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import build_mark
from evalkit.watermark.sliced import sliced
from evalkit.watermark.spec import MarkSpec

Ints = npt.NDArray[np.int64]
V, TOKENS, IMAGES, DECOYS, FOLDERS, ALPHA, MARKED = 1024, 256, 1000, 400, 2, 0.01, 0.3
KEYS, WITH_MARKED = 200, 2  # in all; those of a folder that some of its images are marked with


def zipf(power: float) -> npt.NDArray[np.float64]:
    """Shares of 1,024 codes."""
    law = 1 / np.arange(1, V + 1) ** power
    return law / law.sum()


def drawn(power: float, shape: tuple[int, ...], rng: np.random.Generator) -> Ints:
    """Codes of a Zipf law."""
    return np.minimum(np.searchsorted(np.cumsum(zipf(power)), rng.random(shape)), V - 1)


def textures(n: int, rng: np.random.Generator) -> Ints:
    """A walk: four codes may follow a code, and one step in twenty begins anew."""
    following = np.random.default_rng(11).integers(0, V, (V, 4))
    fresh, codes = drawn(1.0, (n, TOKENS), rng), np.zeros((n, TOKENS), np.int64)
    codes[:, 0] = fresh[:, 0]
    for at in range(1, TOKENS):
        walked = following[codes[:, at - 1], rng.integers(0, 4, n)]
        codes[:, at] = np.where(rng.random(n) < 0.05, fresh[:, at], walked)
    return codes


def grounds(n: int, rng: np.random.Generator) -> Ints:
    """60 % of an image is one of six grounds of twelve codes each."""
    ground = np.random.default_rng(12).integers(0, V, (6, 12))
    mine = ground[rng.integers(0, 6, n)][np.arange(n)[:, None], rng.integers(0, 12, (n, TOKENS))]
    return np.where(rng.random((n, TOKENS)) < 0.6, mine, drawn(1.0, (n, TOKENS), rng))


LAWS: Mapping[str, Callable[[int, np.random.Generator], Ints]] = {
    "Zipf(2)": lambda n, rng: drawn(2.0, (n, TOKENS), rng),
    "Markov textures": textures,
    "shared grounds": grounds,
    "constant": lambda n, rng: np.repeat(drawn(1.0, (n, 1), rng), TOKENS, 1),
}
METHODS = {
    "lbw, 1 list": MarkSpec("lbw"),
    "lbw, 16 lists": MarkSpec("lbw", lists=16),
    "lbw, paired": MarkSpec("lbw", kind="paired"),
    "indexmark": MarkSpec("indexmark"),
    "clusters": MarkSpec("clusters", clusters=128),
    "kgw, context 1": MarkSpec("kgw"),
    "wmar, context 0": MarkSpec("wmar", context=0),
    "places": MarkSpec("places"),
    "bitmark": MarkSpec("bitmark"),
    "gumbel": MarkSpec("gumbel", lists=1),
    "dipmark": MarkSpec("dipmark"),
    "tournament": MarkSpec("tournament"),
}
DRAWING = ("gumbel", "dipmark", "tournament")
BOOK = np.random.default_rng(13).normal(size=(V, 4))
COUNTS = np.maximum(1e6 * zipf(1.0), 1.0)


def mark_of(spec: MarkSpec, number: int) -> Mark:
    """The mark of real key number `number`."""
    counted_ones = COUNTS if spec.method == "wmar" or spec.kind == "paired" else None
    bits = 10 if spec.method == "bitmark" else None
    key = key_of("decoys", spec, number)
    return build_mark(spec, key, "simulated@x", V, frequencies=counted_ones, codebook=lambda: BOOK, bits=bits)


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
    kinds, at = np.unique(np.stack([marks[0].units(row) for row in codes]), return_inverse=True)
    context, code = kinds // V, kinds % V
    found = []
    for each in marks:
        worth = np.zeros(len(kinds))
        for place in range(TOKENS):
            here = context == place
            rows = np.broadcast_to(each.numbers(0, place), (int(here.sum()), V))
            worth[here] = each.values(rows, code[here])[0]
        found.append(worth[at.reshape(codes.shape)].sum(1))
    return np.rint(np.stack(found, axis=1)).astype(np.int64)


def _coloured(mark: Any, kinds: Ints) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(kinds), bool)
    first = kinds // V
    for row in np.unique(first[kinds >= 0]):
        green = mark.list_after(int(row)) if mark.method == "kgw" else mark.green_at([int(row)])[0]
        here = first == row
        found[here] = green[kinds[here] % V]
    return found & (kinds >= 0)


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


@dataclass
class Seen:
    """What one key met."""

    rate: float
    copies: float
    raw: float
    holds: bool
    folder: float
    images: int
    least: float
    fdr: float = np.nan
    found: float = np.nan
    beyond: float = np.nan


def as_large(values: npt.NDArray[Any]) -> Ints:
    """How many of each row's values are at least each one."""
    found: Ints = np.stack([len(row) - np.searchsorted(np.sort(row), row) for row in values])
    return found


def beside(theirs: Ints, mine: Ints) -> Ranked:
    """A real key's scores [B] among the decoys' [B, K]."""
    return ranked(lambda: [np.concatenate([theirs, mine[:, None]], 1)], ALPHA)


def with_marked(mark: Mark, looker: Any, codes: Ints, theirs: Ints, rng: np.random.Generator) -> tuple[float, ...]:
    """(share of false ones among the called, share of marked ones called, whether the former is too large) with 30 % of the
    images marked.
    """
    count = round(MARKED * len(codes))
    changed = marked(mark, codes[:count], rng)
    mixed = np.concatenate([changed, codes[count:]])
    scores = mark.score(mixed)
    all_decoys = np.concatenate([looker.scores(changed), theirs[count:]])
    seen = beside(all_decoys, scores.green)
    log_p = seen.log_p(scores.log_p, scores.log_p_floor)
    every = np.arange(len(codes))
    called = judge(log_p, scores.log_p_floor, every, every, Rule(ALPHA, 0.05)).verdict == DETECTED
    wrong, n = float(called[count:].sum() / max(int(called.sum()), 1)), max(int(called.sum()), 1)
    return wrong, float(called[:count].mean()), float(wrong > 0.05 + 2.33 * (0.05 * 0.95 / n) ** 0.5)


def cell(law: str, method: str) -> Iterator[Seen]:
    """Every key of a law and a method."""
    spec, each_folder = METHODS[method], KEYS // FOLDERS
    for folder in range(FOLDERS):
        rng = np.random.default_rng([5, folder])
        codes = LAWS[law](IMAGES, rng)
        marks = [mark_of(spec, folder * each_folder + number) for number in range(each_folder)]
        looker = decoys_of(marks[0], DECOYS, f"{law}/{method}/{folder}")
        theirs, mine = looker.scores(codes), greens(marks, codes)
        some = codes[:4] if method in DRAWING else codes  # whose floor is that of every image
        first = marks[0].score(some)
        if not np.array_equal(mine[: len(some), 0], marks[0].evidence(some, first.green)):
            raise SystemExit("the fast counts of real keys are not those of the detector")
        floor = np.resize(first.log_p_floor, len(codes))
        for number, told in enumerate(together(theirs, mine, floor)):
            if number < WITH_MARKED and law != "constant" and method not in DRAWING:
                told.fdr, told.found, told.beyond = with_marked(marks[number], looker, codes, theirs, rng)
            yield told


def together(theirs: Ints, mine: Ints, floor: npt.NDArray[np.float64]) -> Iterator[Seen]:
    """What each real key meets. All keys are treated alike, so one pass serves all: the other real keys are decoys too."""
    keys = np.concatenate([theirs, mine], axis=1)
    fit, every = fitted(lambda: [keys]), keys.shape[1]
    calls, fresh = best_of(ALPHA, every), fit.fresh
    shift = shifts(lambda: [keys], fit, calls / every)
    left = np.round(np.concatenate([each for _, each, _ in shifted(lambda: [keys], fit, shift)]), TIE)
    above, plain = as_large(left), as_large(keys[fresh])
    p = np.maximum(above / every, np.exp(floor)[:, None])
    rates, far = (above[fresh] <= calls).mean(0), (np.maximum(left[fresh] - LARGE, 0) ** 2).sum(0)
    folder = folder_ps(fit.means, far)
    seen = beside(np.delete(keys, theirs.shape[1], axis=1), keys[:, theirs.shape[1]])
    if (np.abs(seen.above + 1 - above[:, theirs.shape[1]]) > 3).mean() > 0.01:
        raise SystemExit("one pass for all keys is not what the detector does")
    for at in range(theirs.shape[1], every):
        beyond = np.sort(np.delete(rates, at))
        low, high = beyond[int(0.025 * every) - 1], beyond[int(np.ceil(0.975 * every)) - 1]
        called = p[:, at] <= ALPHA + 1e-12
        raw = float((plain[:, at] <= calls).mean())
        yield Seen(
            float(called[fresh].mean()), float(called.mean()), raw, bool(low <= rates[at] <= high), float(folder[at]),
            int(fresh.sum()), float(np.exp(np.median(floor[fresh]))),
        )  # fmt: skip


def row_of(law: str, method: str) -> dict[str, Any]:
    """A row of the table."""
    seen = list(cell(law, method))
    rate, raw, folder, copies = (
        np.array([getattr(each, name) for each in seen]) for name in ("rate", "raw", "folder", "copies")
    )
    fdr, found, beyond = (np.array([getattr(each, name) for each in seen]) for name in ("fdr", "found", "beyond"))
    some = np.isfinite(fdr)
    error = fdr[some].std(ddof=1) / some.sum() ** 0.5 if some.sum() > 1 else np.nan
    marked_ones = {
        "fdr_nominal": 0.05, "fdr": fdr[some].mean(), "fdr_high": fdr[some].mean() + 1.96 * error,
        "fdr_worst": fdr[some].max(), "fdr_beyond": beyond[some].mean(), "found": found[some].mean(),
    } if some.any() else dict.fromkeys(("fdr_nominal", "fdr", "fdr_high", "fdr_worst", "fdr_beyond", "found"), "")  # fmt: skip
    return {
        "codes": law, "mark": method, "keys": len(seen), "images": np.mean([each.images for each in seen]),
        "least": np.median([each.least for each in seen]), "decoys": DECOYS + KEYS // FOLDERS - 1, "level": ALPHA,
        "rate_mean": rate.mean(), "rate_low": np.quantile(rate, 0.025), "rate_high": np.quantile(rate, 0.975),
        "rate_worst": rate.max(), "within": ((rate >= 0.004) & (rate <= 0.02)).mean(), "above": (rate > 0.02).mean(),
        "copies_worst": copies.max(), "raw_mean": raw.mean(), "raw_worst": raw.max(),
        "raw_within": ((raw >= 0.004) & (raw <= 0.02)).mean(),
        "interval_holds": np.mean([each.holds for each in seen]),
        "folder_at_05": (folder <= 0.05).mean(), "folder_at_01": (folder <= 0.01).mean(),
        "ks_p": kstest(folder, "uniform", alternative="greater").pvalue, **marked_ones, "fdr_keys": int(some.sum()),
    }  # fmt: skip


def main() -> None:
    """Measure the marks that are named, or all, write after every cell, and bring the page's table up to date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("marks", nargs="*", default=list(METHODS))
    parser.add_argument("--missing", action="store_true", help="only rows that the table has not")
    given, file = parser.parse_args(), Path(__file__).with_name("watermark-decoys.csv")
    for method in given.marks:
        for law in LAWS:
            kept = _rows(file)
            if given.missing and any((each["codes"], each["mark"]) == (law, method) for each in kept):
                continue
            new = row_of(law, method)
            rows = [each for each in _rows(file) if (each["codes"], each["mark"]) != (law, method)] + [new]
            write("watermark-decoys", sorted(rows, key=lambda each: _order(str(each["mark"]), str(each["codes"]))))
    on_page(_rows(file), Path(__file__).parents[2] / "docs" / "watermark.md")


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open() as stream:
        return list(csv.DictReader(stream))


def on_page(rows: list[dict[str, str]], page: Path) -> None:
    """The table in place of the one that is there."""
    heads = (
        "codes", "mark", "calls at 0.01, mean over keys", "95 % of keys", "worst key", "keys within .004–.02",
        "worst key by the rank alone", "interval holds", "folder p at most .05", "FDR at .05, mean over keys", "its worst key",
        "marked images called",
    )  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for each in rows:
        v = {
            name: float(text) if text.replace(".", "").replace("e-", "").isdigit() else text
            for name, text in each.items()
        }
        hopeless = v["least"] > ALPHA  # type: ignore[operator]
        cells = [
            each["codes"], each["mark"], f"{v['rate_mean']:.4f}", f"{v['rate_low']:.4f}–{v['rate_high']:.4f}",
            f"{v['rate_worst']:.3f}", "none can be called" if hopeless else f"{v['within']:.1%}".replace("%", " %"),
            f"{v['raw_worst']:.3f}", f"{v['interval_holds']:.0%}".replace("%", " %"), f"{v['folder_at_05']:.3f}",
            *(["—"] * 3 if each["fdr"] == "" else [f"{v[name]:.3f}" for name in ("fdr", "fdr_worst", "found")]),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    text = page.read_text(encoding="utf-8")
    start = text.index("| codes | mark | calls at 0.01")
    page.write_text(text[:start] + "\n".join(lines) + text[text.index("\n\n", start) :], encoding="utf-8")


def _order(method: str, law: str) -> tuple[int, int]:
    return list(METHODS).index(method), list(LAWS).index(law)


if __name__ == "__main__":
    main()
